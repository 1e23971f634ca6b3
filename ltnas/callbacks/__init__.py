"""Callbacks that observe a training: they read its state and write files."""
