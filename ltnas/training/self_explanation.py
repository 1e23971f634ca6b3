"""Learning by Self-Explanation: an audience learns from what the searched supernet points out.

Four levels (Hosseini and Xie 2020, arXiv 2012.12899): the explainer's weights, its explanation of
each image, the audience's weights given the explanations, and the architecture given explainer and
audience. An explanation is the change of the pixels that raises the explainer's loss; the audience
sees images times its size. That the size is scaled to 1 in each image is our reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.axes.chains import Stage, Values, WeightStep
from ltnas.axes.differentiation import Tensors
from ltnas.data.augment import Normalisation
from ltnas.data.stream import Batch
from ltnas.distributed.collectives import rank, ranks
from ltnas.models.statistics import frozen_statistics
from ltnas.training.explanations import (
    ChangeLoss,
    Pixels,
    ascend_by_signs,
    attacked_loss,
    importance,
    slope,
)
from ltnas.training.graphs import Batches, Notes
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context
from ltnas.training.levels import SUPERNET, Levels, training_notes
from ltnas.training.search_losses import SearchLosses
from ltnas.training.weight_update import WeightUpdate

AUDIENCE = "audience"
"""Name of the audience, and of the stream of the images that are explained to it."""
CHANGE, PIXELS = "change", "pixels"
"""Names of the explanation among the variables of the chain, and of its only tensor."""


def shown(batch: Batch, change: Tensor) -> Batch:
    """Return a batch as the audience sees it: images times the importance of their pixels."""
    return Batch((importance(change) * batch.views[0],), batch.labels)


class SelfExplanation(Levels):
    """The supernet as explainer to an audience; base of both kinds of explanation.

    The architecture's loss is L(explainer) + gamma L(audience), both on the architecture's images.

    Args:
        losses: losses of the explainer.
        audience: the audience; its supernet may share the architecture (Saliency-Aware NAS,
            Hosseini and Xie 2022).
        config: weight of the audience's loss, and constants of an attack.
        normalisation: mean and standard deviation of each channel of the images.
    """

    def __init__(
        self,
        losses: SearchLosses,
        audience: Learner,
        config: c.SelfExplanation,
        normalisation: Normalisation,
    ) -> None:
        super().__init__(losses, {AUDIENCE: audience}, weight=config.audience_weight)
        self.config, self.audience = config, self.others[AUDIENCE]
        for name, values in (("mean", normalisation.mean), ("deviation", normalisation.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    @property
    def pixels(self) -> Pixels:
        """Scale of the images."""
        return Pixels(self.get_buffer("mean"), self.get_buffer("deviation"))

    def explanation(self, batch: Batch, loss: ChangeLoss) -> Tensor:
        """Return the change of the pixels that explains the images of a batch, [B, 3, H, W].

        Args:
            batch: images and labels of the audience.
            loss: loss of the explainer for a change.
        """
        raise NotImplementedError

    def attack(self, batch: Batch, context: Context) -> Callable[[Tensors, Tensors], ChangeLoss]:
        """Return the loss of changes of a batch, for weights and architecture of the explainer."""
        images, labels = batch.views[0], batch.labels

        def at(weights: Tensors, architecture: Tensors) -> ChangeLoss:
            def classify(changed: Tensor) -> Tensor:
                return self.losses.logits(changed, context, weights, architecture)

            return attacked_loss(classify, self.pixels, images, labels)

        return at

    def stages(
        self, batches: Batches, steps: Mapping[str, WeightStep], context: Context
    ) -> list[Stage]:
        """Return a step of the explainer, and one of the audience, which sees the explanation."""

        def loss(values: Values, architecture: Tensors) -> Tensor:
            batch = shown(batches[AUDIENCE], values[CHANGE][PIXELS])
            return self.audience.trial(batch, context)(values[AUDIENCE], architecture)

        audience = Stage(AUDIENCE, loss, steps[AUDIENCE])
        return [*super().stages(batches, steps, context), audience]

    def weight_steps(
        self, batches: Batches, updates: Mapping[str, WeightUpdate], context: Context
    ) -> Notes:
        """Take one step of the audience on the images as the explainer explains them now."""
        explainer = self.losses.learner
        with frozen_statistics(explainer):
            loss = self.attack(batches[AUDIENCE], context)(
                self.losses.weights(), self.losses.fixed_architecture()
            )
            change = self.explanation(batches[AUDIENCE], loss)
        batch = shown(batches[AUDIENCE], change)
        with context():
            losses = self.audience.at_fixed_architecture(batch)
        updates[AUDIENCE].descend(losses.total)
        return training_notes(AUDIENCE, losses, batch)


class DifferentiatedExplanation(SelfExplanation):
    """An explanation by one step uphill, which the gradient of the architecture passes through.

    The step starts at the unchanged image and has no sign function, whose derivative is zero. Its
    length does not matter, because only the relative sizes of changes do.
    """

    def values(self, batches: Batches) -> Values:
        """See `Levels`; with a change of zero."""
        images = batches[AUDIENCE].views[0]
        return super().values(batches) | {CHANGE: {PIXELS: torch.zeros_like(images)}}

    def explanation(self, batch: Batch, loss: ChangeLoss) -> Tensor:
        """See `SelfExplanation`."""
        return slope(loss, torch.zeros_like(batch.views[0]))

    def stages(
        self, batches: Batches, steps: Mapping[str, WeightStep], context: Context
    ) -> list[Stage]:
        """Return steps of the explainer, of the explanation (uphill) and of the audience."""
        explainer, audience = super().stages(batches, steps, context)
        attack = self.attack(batches[AUDIENCE], context)

        def loss(values: Values, architecture: Tensors) -> Tensor:
            return attack(values[SUPERNET], architecture)(values[CHANGE][PIXELS])

        uphill = WeightStep(rate=-1.0, momentum=0.0, weight_decay=0.0, velocity={})
        return [explainer, Stage(CHANGE, loss, uphill, local=True), audience]

    def passes(self, gradient: c.Gradient) -> dict[str, int]:
        """See `Levels`."""
        if isinstance(gradient, c.SecondOrder):
            return {SUPERNET: 9, AUDIENCE: 5}
        return {SUPERNET: 3, AUDIENCE: 2}


class DetachedExplanation(SelfExplanation):
    """An explanation by projected ascent by signs from a random start, a constant.

    It tells an audience without architecture parameters nothing that a gradient of the architecture
    could reach: the audience must be a supernet of the same architecture.
    """

    noise: Tensor | None = None
    """Start of the ascent of every image, [B, 3, H, W]; None before the first draw."""

    def draw(self, batches: Batches, generator: torch.Generator) -> None:
        """Draw the start of the ascent of every image, uniform in [-radius, radius]."""
        images = batches[AUDIENCE].views[0]
        # Each rank draws for the images of all and takes its rows, as the streams do.
        whole = torch.rand(len(images) * ranks(), *images.shape[1:], generator=generator)
        rows = (2 * whole[rank() :: ranks()] - 1) * self.config.radius
        if self.noise is None or self.noise.shape != rows.shape:
            self.noise = torch.empty_like(images)
        self.noise.copy_(rows)  # in place, because a recorded step reads it

    def values(self, batches: Batches) -> Values:
        """See `Levels`; with the explanations of the present explainer."""
        loss = self.attack(batches[AUDIENCE], nullcontext)(
            self.losses.weights(), self.losses.fixed_architecture()
        )
        change = self.explanation(batches[AUDIENCE], loss)
        return super().values(batches) | {CHANGE: {PIXELS: change}}

    def explanation(self, batch: Batch, loss: ChangeLoss) -> Tensor:
        """See `SelfExplanation`."""
        assert self.noise is not None
        images, radius = batch.views[0], self.config.radius
        return ascend_by_signs(
            loss,
            self.noise,
            lambda change: self.pixels.allowed(images, change, radius),
            step=self.config.step,
            steps=self.config.steps,
        )

    def passes(self, gradient: c.Gradient) -> dict[str, int]:
        """See `Levels`."""
        if isinstance(gradient, c.SecondOrder):
            return {SUPERNET: 5 + 2 * self.config.steps, AUDIENCE: 5}
        return {SUPERNET: 2 + self.config.steps, AUDIENCE: 2}
