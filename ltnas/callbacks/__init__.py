"""Everything that watches a training: it reads, and writes files."""
