"""Class frequencies that the probabilities of a trained network assume, and others in their place.

A classifier that was trained on frequent and rare classes prefers frequent ones: its probabilities
p(y | x) contain the frequencies p(y) of its training. For images with other frequencies q(y), by
Bayes' rule, q(y | x) is proportional to p(y | x) q(y) / p(y).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ltnas.config import require
from ltnas.errors import UserError
from ltnas.models.branches import BranchedModel


def prior_shift(network: BranchedModel, prior: str | Sequence[float]) -> Tensor:
    """Return log q(y) - log p(y), what logits must be shifted by, float64 [C].

    Args:
        network: loaded network.
        prior: frequencies q: `training` for those of the training, `uniform`, or a number for each
            class, in proportion to its frequency. A class with 0 is never predicted.

    Raises:
        UserError: the number of frequencies is not that of the classes, or the frequencies of the
            training are not known.
    """
    classes = len(network.preprocessing["classes"])
    if prior == "training":
        return torch.zeros(classes, dtype=torch.float64)
    if network.prior is None:
        raise UserError(
            "this network comes from a version that did not keep the class frequencies of its "
            "training: take prior=training, or train it again"
        )
    wanted = [1.0] * classes if isinstance(prior, str) else [float(value) for value in prior]
    require(
        len(wanted) == classes,
        f"prior={list(prior)} has {len(wanted)} numbers, but the network has {classes} classes: "
        "give one for each, in the order of the classes in network.json",
    )
    target = torch.tensor(wanted, dtype=torch.float64)
    assumed = torch.tensor(network.prior, dtype=torch.float64)
    return (target / target.sum()).log() - (assumed / assumed.sum()).log()


def probabilities(logits: Tensor, shift: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the class probabilities for other class frequencies, float64 [B, C].

    Args:
        logits: [B, C].
        shift: result of `prior_shift`, [C].
        temperature: temperature of the network, see `load_network`.
    """
    return (logits.double() / temperature + shift).softmax(1)
