"""The search space: layout of cells, genotypes, published genotypes."""
