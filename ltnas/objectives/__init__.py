"""What is minimised on a batch: modules that take a model and a batch and give `Losses`."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from ltnas.data.stream import Batch


class Model(Protocol):
    """What objectives need of a supernet or a network."""

    feature_size: int
    classifier: nn.Module

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to pooled features [B, feature_size]."""
        ...

    def branch_features(self, images: Tensor, branch: int) -> Tensor:
        """Images [B, 3, H, W] to one branch's features [B, feature_size / branches]."""
        ...

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits [B, classes] and those of auxiliary classifiers."""
        ...


class Losses(NamedTuple):
    """The objective's loss; the probe's, where the classifier is one; logits without gradient."""

    objective: Tensor
    probe: Tensor | None
    logits: Tensor

    @property
    def total(self) -> Tensor:
        """Of the objective and the probe."""
        return self.objective if self.probe is None else self.objective + self.probe


class Objective(nn.Module):
    """Base of the objectives: each has `forward(model, batch) -> Losses`.

    `probes` tells that the model's classifier learns from labels beside the objective, on features
    that do not see its gradient: it measures, and has no part in what is searched or learned.
    """

    probes = False

    def set_progress(self, progress: float) -> None:
        """Hear, before each epoch, which share of the run is over; most do not care."""

    def forward(self, model: Model, batch: Batch) -> Losses:
        """The losses of a batch."""
        raise NotImplementedError
