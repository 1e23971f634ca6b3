"""All proxies by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.fisher import fisher
from ltnas.proxies.grasp import grasp
from ltnas.proxies.jacov import jacov
from ltnas.proxies.nwot import nwot
from ltnas.proxies.saliency import grad_norm, snip
from ltnas.proxies.size import l2_norm, macs, parameters
from ltnas.proxies.synflow import synflow
from ltnas.proxies.te_nas import te_nas_ntk, te_nas_regions
from ltnas.proxies.zen import zen
from ltnas.proxies.zico import zico

Proxy = Callable[[nn.Module, ProxyBatch, int], float]
"""Function that maps network, batch and seed to a score."""
PROXIES: dict[str, Proxy] = {
    "grad_norm": grad_norm,
    "snip": snip,
    "grasp": grasp,
    "fisher": fisher,
    "synflow": synflow,
    "jacov": jacov,
    "nwot": nwot,
    "zen": zen,
    "zico": zico,
    "te_nas_ntk": te_nas_ntk,
    "te_nas_regions": te_nas_regions,
    "l2_norm": l2_norm,
    "parameters": parameters,
    "macs": macs,
}
"""Proxies by their names in `ltnas.config.PROXY_NAMES`."""
