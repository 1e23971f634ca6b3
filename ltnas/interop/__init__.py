"""Loading of checkpoints of other code bases into the modules of this package."""

from ltnas.interop.darts import load_official_network
from ltnas.interop.supernets import load_official_supernet

__all__ = ["load_official_network", "load_official_supernet"]
