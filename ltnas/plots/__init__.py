"""Pictures, made from result files and never from live objects."""
