"""Processes of one run and the values that they exchange."""
