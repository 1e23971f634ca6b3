"""Lightning modules, optimisers, stages and evaluation."""
