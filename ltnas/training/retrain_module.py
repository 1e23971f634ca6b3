"""Training of a discrete network: with labels, or before that without."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ltnas.axes.schedules import linear_ramp, weight_rate
from ltnas.config import WeightOptimiser
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.models.statistics import unmoved_statistics
from ltnas.objectives import Losses
from ltnas.training.learner import Learner
from ltnas.training.monitor import MeasuringModule
from ltnas.training.optimisation import (
    average_of,
    descend,
    set_rate,
    sharpness_aware_descend,
    weight_optimiser,
)


class RetrainModule(MeasuringModule):
    """One weight step a batch; learning rate and drop path move by epoch (DARTS, section 3.2).

    Args:
        learner: network and objective.
        weights: constants of the optimiser.
        drop_path: probability that the last epoch comes close to.
        epochs: of the whole training.
        tests: what is tested after each epoch.
        seed: of the run.
        autocast: makes the context of a forward pass, for mixed precision.
        adjustment: what is taken off logits in a test, [classes] (post-hoc logit adjustment, Menon
            et al. 2021, equation 9); nothing, if left out.
        sharpness: radius of sharpness-aware steps; 0: plain ones.
        averaging: decay of an average of the weights, which is what is tested; 0: none.
        trains_trunk: whether more than the classifier learns.
    """

    learner: Learner

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
        sharpness: float = 0.0,
        averaging: float = 0.0,
        trains_trunk: bool = True,
    ) -> None:
        super().__init__(learner, tests, seed)
        self.adjustment, self.sharpness, self.trains_trunk = adjustment, sharpness, trains_trunk
        self.average = average_of(learner.model, averaging) if averaging else None
        self.weights_config, self.drop_path, self.epochs = weights, drop_path, epochs
        self.autocast = autocast

    def test_logits(self, images: Tensor) -> Tensor:
        """Of the averaged weights, if there are some; adjusted."""
        model = self.learner.model if self.average is None else self.average
        logits: Tensor = model(images)
        return logits if self.adjustment is None else logits - self.adjustment.to(logits.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD on all parameters."""
        return weight_optimiser(self.learner.weights().values(), self.weights_config)

    def on_train_epoch_start(self) -> None:
        """Set learning rate and drop path by the epoch alone."""
        super().on_train_epoch_start()
        self.learner.set_progress(self.current_epoch / self.epochs)
        epoch = self.current_epoch
        set_rate(self.trainer.optimizers[0], weight_rate(self.weights_config, epoch, self.epochs))
        self.learner.model.train(self.trains_trunk)  # a trunk that rests keeps its statistics
        self.learner.model.set_drop_path(linear_ramp(epoch, self.epochs, self.drop_path))

    def training_step(self, batches: dict[str, Batch], index: int) -> None:
        """One weight step."""
        batch, optimiser = batches["weights"], self.trainer.optimizers[0]
        groups, clip = self.learner.clip_groups(), self.weights_config.clip
        losses = self._losses(batch)
        if self.sharpness:
            sharpness_aware_descend(
                losses.total, lambda: self._again(batch), groups, optimiser, clip, self.sharpness
            )
        else:
            descend(losses.total, groups, optimiser, clip)
        if self.average is not None:
            self.average.update_parameters(self.learner.model)
        hits = (losses.logits.argmax(1) == batch.labels).float().mean()
        self.note(train_loss=losses.objective, train_accuracy=hits)

    def _losses(self, batch: Batch) -> Losses:
        with self.autocast():
            losses: Losses = self.learner(batch)
        return losses

    def _again(self, batch: Batch) -> Tensor:
        """The loss of a batch that has been seen: it moves no statistics a second time."""
        with unmoved_statistics(self.learner):
            return self._losses(batch).total

    def keep_average(self) -> None:
        """Give the averaged weights and statistics to the model, if there are some."""
        if self.average is not None:
            self.learner.model.load_state_dict(self.average.module.state_dict())
