"""Modules that compute: supernet, discrete network, residual network and their parts."""
