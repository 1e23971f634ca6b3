"""PyTorch modules: supernet, discrete network, residual network, and their parts."""
