"""Training of a discrete network, with labels or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ltnas.axes.schedules import linear_ramp, weight_rate
from ltnas.config import WeightOptimiser
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.models.statistics import unmoved_statistics
from ltnas.objectives import Losses
from ltnas.training.graphs import Notes
from ltnas.training.learner import Learner
from ltnas.training.max_norm import MaxNorm
from ltnas.training.monitor import PACE, MeasuringModule, Pace
from ltnas.training.optimisation import (
    average_of,
    descend,
    rate_groups,
    set_rate,
    sharpness_aware_descend,
    weight_optimiser,
)
from ltnas.training.sharpness import Sharpness


class RetrainModule(MeasuringModule):
    """Takes one weight step a batch; learning rate and drop path depend on the epoch.

    The schedules are those of DARTS, section 3.2.

    Args:
        learner: network and objective.
        weights: settings of the optimiser.
        drop_path: probability that drop path grows to, linearly over the epochs.
        epochs: epochs of the whole stage.
        tests: test sets, measured after each epoch.
        seed: seed of the run.
        autocast: makes the context of a forward pass, for mixed precision.
        adjustment: subtracted from logits in tests, [classes] (post-hoc logit adjustment, Menon
            et al. 2021, equation 9); None: nothing.
        sharpness: radius of sharpness-aware steps; None: plain steps.
        averaging: decay of an average of the weights, which is then tested; 0: none.
        trains_trunk: False if only the classifier learns.
        max_norm: limit for the norms of the classifier's rows; None: no limit.
        multiples: learning rates of some weights as multiples of that of `weights`, by the end of
            their names.
        pace: how steps are run, and how often the model is tested.
    """

    learner: Learner
    radius: Tensor

    def __init__(
        self,
        *,
        learner: Learner,
        weights: WeightOptimiser,
        drop_path: float,
        epochs: int,
        tests: TestSets,
        seed: int,
        autocast: Callable[[], AbstractContextManager[object]],
        adjustment: Tensor | None = None,
        sharpness: Sharpness | None = None,
        averaging: float = 0.0,
        trains_trunk: bool = True,
        max_norm: MaxNorm | None = None,
        multiples: Mapping[str, float] | None = None,
        pace: Pace = PACE,
    ) -> None:
        super().__init__(learner, tests, seed, pace)
        self.rate_key = f"{weights.place}.learning_rate"
        self.multiples = multiples or {}
        self.adjustment, self.trains_trunk, self.max_norm = adjustment, trains_trunk, max_norm
        self.sharpness = sharpness or Sharpness()
        # A tensor that is filled in place, as a recorded step reads it from the same memory.
        self.register_buffer("radius", torch.tensor(self.sharpness.first), persistent=False)
        self.average = average_of(learner.model, averaging) if averaging else None
        self.weights_config, self.drop_path, self.epochs = weights, drop_path, epochs
        self.autocast = autocast

    def test_logits(self, images: Tensor) -> Tensor:
        """Return adjusted logits [B, classes], of the averaged weights if there are some."""
        model = self.learner.model if self.average is None else self.average
        logits: Tensor = model(images)
        return logits if self.adjustment is None else logits - self.adjustment.to(logits.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return SGD on all parameters that learn."""
        recorded = self.choose_runner()
        groups = rate_groups(self.learner.weights(), self.multiples)
        return weight_optimiser(groups, self.weights_config, recorded)

    def on_train_epoch_start(self) -> None:
        """Set what depends on the epoch alone: learning rate, radius and drop path."""
        super().on_train_epoch_start()
        epoch = self.current_epoch
        self.learner.set_progress(epoch / self.epochs)
        self.radius.fill_(self.sharpness.radius(epoch / self.epochs))
        # Computed instead of stepped by a scheduler, whose state would have to be restored on
        # resuming.
        set_rate(self.trainer.optimizers[0], weight_rate(self.weights_config, epoch, self.epochs))
        self.learner.model.train(self.trains_trunk)  # a fixed trunk keeps its running statistics
        self.learner.model.set_drop_path(linear_ramp(epoch, self.epochs, self.drop_path))

    def training_step(self, batches: dict[str, Batch], index: int) -> None:
        """Take one weight step."""
        self.note(self.run(self.weight_step, batches))
        # Once a step, as the decay of the average is per step.
        if self.average is not None:
            self.average.update_parameters(self.learner.model)

    def weight_step(self, batches: dict[str, Batch]) -> Notes:
        """Update the weights."""
        batch, optimiser = batches["weights"], self.trainer.optimizers[0]
        groups, clip = self.learner.clip_groups(), self.weights_config.clip
        losses = self._losses(batch)
        if self.sharpness.is_on:
            sharpness_aware_descend(
                losses.total,
                again=lambda: self._again(batch),
                groups=groups,
                optimiser=optimiser,
                clip=clip,
                radius=self.radius,
            )
        else:
            descend(losses.total, groups, optimiser, clip)
        if self.max_norm is not None:
            classifier = self.learner.model.classifier
            assert isinstance(classifier.weight, Tensor)
            self.max_norm.project(classifier.weight)
        hits = (losses.logits.argmax(1) == batch.labels).float().mean()
        return {"train_loss": losses.objective.detach(), "train_accuracy": hits}

    def _losses(self, batch: Batch) -> Losses:
        with self.autocast():
            losses: Losses = self.learner(batch)
        return losses

    def _again(self, batch: Batch) -> Tensor:
        """Return the loss of a batch a second time, without moving running statistics again."""
        with unmoved_statistics(self.learner):
            return self._losses(batch).total

    def keep_average(self) -> None:
        """Copy the averaged weights and statistics into the model, if there are some."""
        if self.average is not None:
            self.learner.model.load_state_dict(self.average.module.state_dict())
