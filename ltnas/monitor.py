"""What both modules measure during an epoch: losses and hits on the device, test predictions."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from ltnas.data.stream import Batch
from ltnas.distributed import mean_over_ranks
from ltnas.errors import UserError
from ltnas.evaluation import accuracy, confusion_matrix, report
from ltnas.learner import Learner
from ltnas.seeds import derived_seed


class MeasuringModule(L.LightningModule):
    """Collects an epoch's losses without waiting for the device, and tests after each epoch.

    Both test sets are read off one pass over all test images, of which the long-tailed test set
    is a part.
    """

    def __init__(self, learner: Learner, classes: int, long_tailed_test: Tensor, seed: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seed = seed
        self.learner = learner
        self.classes = classes
        self.long_tailed_test = long_tailed_test
        self.losses: dict[str, list[Tensor]] = {}
        self.predictions: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.confusions: dict[str, Tensor] = {}

    def on_train_epoch_start(self) -> None:
        """Forget the epoch before."""
        self.losses = {}

    def on_train_batch_start(self, batch: object, index: int) -> None:
        """Make what torch draws in this epoch a function of (seed, epoch, rank)."""
        if index == 0:  # here and not earlier: Lightning draws at the start of an epoch
            torch.manual_seed(derived_seed(self.seed, self.current_epoch, self.global_rank))

    def epoch_details(self) -> dict[str, float | int]:
        """More columns of the history; none unless a module has some."""
        return {}

    def note(self, **values: Tensor) -> None:
        """Keep scalars of this step, on the device."""
        for name, value in values.items():
            self.losses.setdefault(name, []).append(value.detach().float())

    def latest(self) -> dict[str, float]:
        """The newest value of everything noted; waits for the device."""
        return {name: float(values[-1]) for name, values in self.losses.items()}

    def epoch_means(self) -> dict[str, float]:
        """The mean over steps and ranks of everything noted in this epoch; call it on all ranks.

        Raises:
            UserError: a value was not finite; names what, and the first step it happened in.
        """
        means = {}
        averages = mean_over_ranks([torch.stack(values) for values in self.losses.values()])
        for name, values in zip(self.losses, averages, strict=True):
            stacked = values.cpu()
            broken = (~stacked.isfinite()).nonzero()
            if len(broken):
                raise UserError(
                    f"{name} was {float(stacked[broken[0, 0]])} in step {int(broken[0, 0])} of "
                    f"epoch {self.current_epoch}: start anew with a smaller "
                    "weights.learning_rate, or precision=32; what was saved before is kept"
                )
            means[name] = float(stacked.double().mean())
        return means

    def validation_step(self, batch: Batch, index: int) -> None:
        """Predict a batch of test images."""
        self.predictions.append(self.test_logits(batch.views[0]).argmax(1))
        self.labels.append(batch.labels)

    def test_logits(self, images: Tensor) -> Tensor:
        """What is predicted of images [B, 3, H, W] when testing, [B, classes]."""
        logits: Tensor = self.learner.model(images)
        return logits

    def on_validation_epoch_end(self) -> None:
        """Count hits and misses on both test sets."""
        predictions, labels = torch.cat(self.predictions), torch.cat(self.labels)
        self.predictions, self.labels = [], []
        part = self.long_tailed_test.to(labels.device)
        self.confusions = {
            "balanced": confusion_matrix(predictions, labels, self.classes).cpu(),
            "long_tailed": confusion_matrix(predictions[part], labels[part], self.classes).cpu(),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the tests, for a run that dies after its last epoch and has none to repeat."""
        checkpoint["confusions"] = self.confusions

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the tests of the epoch before."""
        self.confusions = checkpoint["confusions"]

    def test_accuracies(self) -> dict[str, float]:
        """Accuracy on both test sets, in [0, 1]."""
        return {f"accuracy_{name}": accuracy(matrix) for name, matrix in self.confusions.items()}

    def test_reports(self, names: tuple[str, ...], groups: dict[str, list[int]]) -> dict[str, Any]:
        """Everything that is known of the accuracy on both test sets."""
        return {name: report(matrix, names, groups) for name, matrix in self.confusions.items()}
