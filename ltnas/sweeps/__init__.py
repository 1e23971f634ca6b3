"""Sweeps: the jobs of a multirun, each in its own process."""
