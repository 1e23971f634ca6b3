"""Objectives: modules that compute the losses of a model on a batch."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from ltnas.data.stream import Batch


class Model(Protocol):
    """Interface of supernets and networks that objectives use."""

    feature_size: int
    classifier: nn.Module

    def features(self, images: Tensor) -> Tensor:
        """Return the pooled features [B, feature_size] of images [B, 3, H, W]."""
        ...

    def branch_features(self, images: Tensor, branch: int) -> Tensor:
        """Return one branch's features [B, feature_size / branches] of images [B, 3, H, W]."""
        ...

    def last_states(self, images: Tensor) -> list[Tensor]:
        """Return the last state at each resolution, each [B, C', H', W'], the finest first.

        Only search networks have these. The mean of the coarsest over its pixels are the features.
        """
        ...

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits [B, C] and those of each auxiliary classifier, [B, C]."""
        ...


class Losses(NamedTuple):
    """Losses and logits of a batch."""

    objective: Tensor
    """Loss of the objective, a scalar."""
    probe: Tensor | None
    """Loss of the classifier if it is a probe (see `Objective`), a scalar."""
    logits: Tensor
    """Logits of the batch's images without gradient, [B, C]."""

    @property
    def total(self) -> Tensor:
        """Sum of the losses of the objective and of the probe."""
        return self.objective if self.probe is None else self.objective + self.probe


class Objective(nn.Module):
    """Base class of the objectives."""

    probes = False
    """True if the model's classifier is a linear probe: it learns from labels on detached features,
    for measurement only, and does not influence the objective."""

    def set_progress(self, progress: float) -> None:
        """Update epoch-dependent state; no-op by default.

        Args:
            progress: completed share of the run, in [0, 1).
        """

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Return the losses of a model on a batch."""
        raise NotImplementedError
