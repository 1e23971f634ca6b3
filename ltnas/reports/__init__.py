"""Reports over many runs, made from their result files alone."""
