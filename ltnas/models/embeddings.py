"""Knowledge embeddings of broad networks (B-DARTS, Ding et al. 2020, arXiv 2009.08886)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ltnas.models.operations import FactorizedReduce
from ltnas.models.rectified import RectifiedConvNorm
from ltnas.space.broad_layout import EmbeddingPlan


def embedding(plan: EmbeddingPlan) -> nn.Sequential:
    """Return the module that passes a state on, [B, C, H, W] to [B, C', H / 2^n, W / 2^n].

    A 1x1 convolution changes the number of channels, then each of n `FactorizedReduce` halves the
    size. Their normalisations have learned scales and shifts in supernets, too, as in the authors'
    code, where those of candidate operations have none.

    Args:
        plan: numbers of channels C and C', and of halvings n.
    """
    width = plan.outputs
    reduces = (FactorizedReduce(width, width, affine=True) for _ in range(plan.halvings))
    return nn.Sequential(RectifiedConvNorm(plan.inputs, width, affine=True), *reduces)


def embeddings(plans: Sequence[EmbeddingPlan]) -> nn.ModuleList:
    """Return the modules of several embeddings."""
    return nn.ModuleList(embedding(plan) for plan in plans)
