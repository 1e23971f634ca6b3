"""Loggers besides the csv files of a run: Weights & Biases, TensorBoard."""
