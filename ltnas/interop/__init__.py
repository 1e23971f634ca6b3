"""Checkpoints of other code bases, read into the modules of this package."""

from ltnas.interop.darts import load_official_network, load_official_supernet

__all__ = ["load_official_network", "load_official_supernet"]
