"""Measures that tell a healthy search from one that collapses, as pure functions."""
