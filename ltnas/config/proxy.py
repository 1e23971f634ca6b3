"""Names of the zero-shot proxies, for configurations; `ltnas.proxies` computes them."""

from __future__ import annotations

PROXY_MEANINGS: dict[str, str] = {
    "grad_norm": "norm of the gradient of the loss",
    "snip": "weights times their gradients",
    "grasp": "change of the gradients without weights",
    "fisher": "change of the loss without channels",
    "synflow": "ln of the flow along all paths",
    "jacov": "difference of the images' gradients",
    "nwot": "difference of the images' ReLU codes",
    "zen": "change of features of changed noise",
    "zico": "gradients over their deviations",
    "te_nas_ntk": "-ln of the NTK's condition number",
    "te_nas_regions": "linear regions between two images",
    "l2_norm": "norm of the weights",
    "parameters": "number of parameters",
    "macs": "multiply-accumulates for one image",
}
"""Description of each proxy, in the order of tables; a higher score is better."""
PROXY_NAMES = tuple(PROXY_MEANINGS)
BATCHES = ("balanced", "natural")
"""Ways to draw the images of proxies: equally many of each class, or as frequent as they are."""
