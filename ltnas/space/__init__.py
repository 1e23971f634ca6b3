"""What a search can find: cell layout, genotypes, published genotypes."""
