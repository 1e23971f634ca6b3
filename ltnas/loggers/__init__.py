"""Loggers besides the CSV files of a run: Weights & Biases and TensorBoard."""
