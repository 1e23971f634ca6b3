"""Supervised classification with class weights that may start later in the run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ltnas.data.stream import Batch
from ltnas.distributed.collectives import ranks, sum_over_ranks
from ltnas.losses.classification import Criterion
from ltnas.objectives import Losses, Model, Objective


class Classification(Objective):
    """Mean over a batch of class weight times loss (Cui et al. 2019, equation 3).

    The sum is divided by the number of images; see `WeightedMean` for the other convention.

    Args:
        criterion: loss of every image.
        weights: class weights, [C].
        start: share of the run before which all classes have weight 1.
        auxiliary_weight: factor of the auxiliary classifiers' losses (DARTS, section 3.2).
    """

    weights: Tensor
    current_weights: Tensor

    def __init__(
        self, criterion: Criterion, weights: Tensor, start: float = 0.0, auxiliary_weight: float = 0
    ) -> None:
        super().__init__()
        self.criterion, self.start, self.auxiliary_weight = criterion, start, auxiliary_weight
        # Not saved: the counts of the stream give them again.
        self.register_buffer("weights", weights.float(), persistent=False)
        # A buffer that changes in place, instead of a switch: a captured step keeps to one path.
        self.register_buffer("current_weights", self.weights.clone(), persistent=False)
        self.set_progress(0.0)

    def set_progress(self, progress: float) -> None:
        """Turn class weights on from `start` on, and tell the loss of the progress."""
        self.criterion.set_progress(progress)
        if progress >= self.start:
            self.current_weights.copy_(self.weights)
        else:
            self.current_weights.fill_(1.0)

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Return the loss of the first view, including that of auxiliary classifiers."""
        logits, *auxiliaries = model.predictions(batch.views[0])
        loss = self.mixed_loss(logits, batch)
        for auxiliary in auxiliaries:
            loss = loss + self.auxiliary_weight * self.mixed_loss(auxiliary, batch)
        return Losses(loss, None, logits.detach())

    def mixed_loss(self, logits: Tensor, batch: Batch, view: int = 0) -> Tensor:
        """Return the loss of one view, a scalar in fp32 or wider.

        In a mixed batch, the losses of both labels are weighted by the shares of their images.

        Args:
            logits: logits of the view, [B, C].
            batch: batch that the view belongs to.
            view: number of the view.
        """
        if batch.partner is None:
            return self.loss(logits, batch.labels)
        # [B], or one number for all images.
        share = batch.partner.shares[view]
        rest = 1 - share
        first, second = (self.losses(logits, x) for x in (batch.labels, batch.partner.labels))
        return self.average(
            share * first + rest * second, [(share, batch.labels), (rest, batch.partner.labels)]
        )

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss for logits [B, C] and labels [B], a scalar in fp32 or wider."""
        return self.average(self.losses(logits, labels), [(1.0, labels)])

    def average(self, losses: Tensor, parts: Sequence[tuple[Tensor | float, Tensor]]) -> Tensor:
        """Return the loss of a batch, a scalar.

        Args:
            losses: weighted loss of each image, [B].
            parts: shares of the labels in each image, [B] or one number, and the labels, [B].
        """
        return losses.mean()

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the weighted loss of each image, [B], for logits [B, C] and labels [B]."""
        # Half precision is too inaccurate for losses, so that autocast is turned off here.
        full = logits.to(torch.promote_types(logits.dtype, torch.float32))
        with torch.autocast(logits.device.type, enabled=False):
            losses: Tensor = self.criterion(full, labels)
            return losses * self.current_weights[labels]


class WeightedMean(Classification):
    """Weighted losses divided by the batch's sum of weights, as PyTorch's weighted mean does.

    This is the convention of LDAM-DRW (Cao et al. 2019, algorithm 1, line 11). A batch of rare
    classes counts no more than any other. The batch is that of all ranks.
    """

    def average(self, losses: Tensor, parts: Sequence[tuple[Tensor | float, Tensor]]) -> Tensor:
        """Return the sum of the losses over that of the weights, a scalar; see `Classification`."""
        weights = [(share * self.current_weights[labels]).sum() for share, labels in parts]
        # Gradients are averaged over ranks: the mean of the ranks' sums of weights makes this the
        # quotient of the whole batch.
        total = sum_over_ranks(torch.stack(weights).sum()) / ranks()
        return losses.sum() / total.to(losses.dtype)
