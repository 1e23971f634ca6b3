"""Use of trained networks: predictions for files, other formats, the Hugging Face hub."""
