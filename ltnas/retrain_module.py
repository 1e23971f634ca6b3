"""Training of a discrete network: with labels, or before that without."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ltnas.config import WeightOptimiser
from ltnas.data.stream import Batch
from ltnas.learner import Learner
from ltnas.monitor import MeasuringModule
from ltnas.optimisation import descend, set_rate, weight_optimiser
from ltnas.schedules import cosine, linear_ramp


class RetrainModule(MeasuringModule):
    """One weight step a batch; learning rate and drop path move by epoch (DARTS, section 3.2).

    Args:
        learner: network and objective.
        weights: constants of the optimiser.
        drop_path: probability that the last epoch comes close to.
        epochs: of the whole training.
        classes: of the data.
        long_tailed_test: the test images of the long-tailed test set.
        seed: of the run.
        autocast: makes the context of a forward pass, for mixed precision.
        adjustment: what is taken off logits in a test, [classes] (post-hoc logit adjustment, Menon
            et al. 2021, equation 9); nothing, if left out.
    """

    learner: Learner

    def __init__(
        self,
        learner: Learner,
        weights: WeightOptimiser,
        drop_path: float,
        epochs: int,
        classes: int,
        long_tailed_test: Tensor,
        seed: int,
        autocast: Callable[[], AbstractContextManager[object]],
        adjustment: Tensor | None = None,
    ) -> None:
        super().__init__(learner, classes, long_tailed_test, seed)
        self.adjustment = adjustment
        self.weights_config, self.drop_path, self.epochs = weights, drop_path, epochs
        self.autocast = autocast

    def test_logits(self, images: Tensor) -> Tensor:
        """Adjusted."""
        logits = super().test_logits(images)
        return logits if self.adjustment is None else logits - self.adjustment.to(logits.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD on all parameters."""
        return weight_optimiser(self.learner.weights().values(), self.weights_config)

    def on_train_epoch_start(self) -> None:
        """Set learning rate and drop path by the epoch alone."""
        super().on_train_epoch_start()
        self.learner.set_progress(self.current_epoch / self.epochs)
        config, epoch = self.weights_config, self.current_epoch
        rate = cosine(epoch, self.epochs, config.learning_rate, config.final_learning_rate)
        set_rate(self.trainer.optimizers[0], rate)
        self.learner.model.set_drop_path(linear_ramp(epoch, self.epochs, self.drop_path))

    def training_step(self, batches: dict[str, Batch], index: int) -> None:
        """One weight step."""
        batch = batches["weights"]
        with self.autocast():
            losses = self.learner(batch)
        total = losses.objective if losses.probe is None else losses.objective + losses.probe
        descend(
            total, self.learner.clip_groups(), self.trainer.optimizers[0], self.weights_config.clip
        )
        hits = (losses.logits.argmax(1) == batch.labels).float().mean()
        self.note(train_loss=losses.objective, train_accuracy=hits)
