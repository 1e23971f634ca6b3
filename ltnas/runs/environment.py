"""Environment variables that a sweep sets for its jobs."""

from __future__ import annotations

SWEEP_VARIABLE = "LTNAS_SWEEP"
"""Name of the sweep, by which dashboards group its jobs."""

LAUNCHER_VARIABLE = "LTNAS_LAUNCHER"
"""Identifier of the process that started the job."""
