"""Images, long-tailed subsets of them, and streams of augmented batches."""
