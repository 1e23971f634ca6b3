"""Benchmarks, each run by hand with `python -m benchmarks.NAME`."""
