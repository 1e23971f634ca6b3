"""Measures of the state of a search, as pure functions: collapse, curvature, stable ranks."""
