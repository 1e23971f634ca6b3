"""The axes of a search scheme: relaxation, gradient, regulariser, schedule, selection."""
