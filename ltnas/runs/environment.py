"""Environment variables by which a sweep tells its jobs about itself."""

from __future__ import annotations

SWEEP_VARIABLE = "LTNAS_SWEEP"
"""Tells a job, and by it a dashboard, the name of its sweep."""


LAUNCHER_VARIABLE = "LTNAS_LAUNCHER"
"""Tells a job the process that has started it."""
