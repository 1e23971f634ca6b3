"""Rankings of genotypes by zero-shot proxies, and their agreement with accuracies."""
