"""The search space: candidate operations, genotypes, supernet and discrete network."""
