"""Names of the zero-shot proxies, for configurations; `ltnas.proxies` computes them."""

from __future__ import annotations

PROXY_NAMES = (
    *("grad_norm", "snip", "grasp", "fisher", "synflow", "jacov", "nwot", "zen", "zico"),
    *("te_nas_ntk", "te_nas_regions", "l2_norm", "parameters", "macs"),
)
"""All proxies, in the order of tables."""
BATCHES = ("balanced", "natural")
"""Ways to draw the images of proxies: equally many of each class, or as frequent as they are."""
