"""Measurements of both modules during an epoch: losses on the device, test predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import Tensor

from ltnas.data.seeds import derived_seed
from ltnas.data.stream import Batch
from ltnas.data.test_sets import LONG_TAILED, VALIDATION, TestSets
from ltnas.distributed.collectives import mean_over_ranks
from ltnas.errors import UserError
from ltnas.training.evaluation import (
    LARGEST_MATRIX,
    calibration_error,
    confusion_matrix,
    counts_by_class,
    counts_of,
    report,
)
from ltnas.training.graphs import GraphRunner, Notes, StepRunner, build_runner, run_eagerly
from ltnas.training.learner import Learner


@dataclass(frozen=True)
class Pace:
    """The way in which steps are taken, and the number of epochs between tests.

    Args:
        graphs: see `build_runner`.
        test_every: epochs between tests; the last epoch is always tested.
    """

    graphs: str = "off"
    test_every: int = 1


PACE = Pace()
"""Steps operation by operation, a test after each epoch."""


class MeasuringModule(L.LightningModule):
    """Base of both modules: collects losses without waiting for the device, and tests.

    One pass over the tested images after each epoch serves each test set, as the long-tailed test
    set, if there is one, is a part of all test images.

    Args:
        learner: model and objectives.
        tests: test sets.
        seed: seed of the run.
        pace: how steps are run, and how often the model is tested.
        first_epoch: number of epochs of the stages before, of which this module is one.
    """

    rate_key = "weights.learning_rate"
    """Key of the learning rate, for messages."""

    def __init__(
        self,
        learner: Learner,
        tests: TestSets,
        seed: int,
        pace: Pace = PACE,
        first_epoch: int = 0,
    ) -> None:
        super().__init__()
        self.first_epoch = first_epoch
        self.automatic_optimization = False
        self.pace = pace
        self.run: StepRunner = run_eagerly
        self.seed = seed
        self.learner = learner
        self.tests = tests
        self.losses: dict[str, list[Tensor]] = {}
        self.predictions: list[Tensor] = []
        self.confidences: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.counts: dict[str, Tensor] = {}
        self.confusions: dict[str, Tensor] = {}
        self.calibration_errors: dict[str, float] = {}

    def choose_runner(self) -> bool:
        """Choose how steps are run, now that the model is on its device; True if by recordings."""
        self.run = build_runner(self.pace.graphs, next(self.learner.parameters()).device)
        return isinstance(self.run, GraphRunner)

    def on_train_epoch_start(self) -> None:
        """Forget the losses of the epoch before, and decide if the epoch ends with a test."""
        self.losses = {}
        # Lightning compares this number with the epoch at its end.
        every = 1 if self.tests_now() else int(self.trainer.max_epochs or 0) + 1
        self.trainer.check_val_every_n_epoch = every

    @property
    def epoch(self) -> int:
        """Number of the present epoch, from 0, counted through all stages."""
        return self.first_epoch + self.current_epoch

    def tests_now(self) -> bool:
        """Return True if the present epoch ends with a test."""
        done = self.current_epoch + 1
        return done % self.pace.test_every == 0 or done == self.trainer.max_epochs

    def on_train_batch_start(self, batch: object, index: int) -> None:
        """Make what torch draws in this epoch a function of (seed, epoch, rank)."""
        if index == 0:  # here and not earlier: Lightning draws at the start of an epoch
            torch.manual_seed(derived_seed(self.seed, self.epoch, self.global_rank))

    def epoch_details(self) -> dict[str, float | int]:
        """Return more columns of the history; none by default."""
        return {}

    def note(self, notes: Notes) -> None:
        """Keep what a step measures, on the device."""
        for name, value in notes.items():
            self.losses.setdefault(name, []).append(value.float())

    def latest(self) -> dict[str, float]:
        """Return the newest value of everything noted; waits for the device."""
        return {name: float(values[-1]) for name, values in self.losses.items()}

    def epoch_means(self) -> dict[str, float]:
        """Return the mean over steps and ranks of everything noted; must run on all ranks.

        Raises:
            UserError: a value was not finite; the message names it and the first such step.
        """
        means = {}
        averages = mean_over_ranks([torch.stack(values) for values in self.losses.values()])
        for name, values in zip(self.losses, averages, strict=True):
            stacked = values.cpu()
            broken = (~stacked.isfinite()).nonzero()
            if len(broken):
                raise UserError(
                    f"{name} was {float(stacked[broken[0, 0]])} in step {int(broken[0, 0])} of "
                    f"epoch {self.epoch}: start anew with a smaller "
                    f"{self.rate_key}, or precision=32; what was saved before is kept"
                )
            means[name] = float(stacked.double().mean())
        return means

    def validation_step(self, batch: Batch, index: int) -> None:
        """Predict a batch of test images or of images for validation."""
        logits = self.test_logits(batch.views[0]).float()
        self.predictions.append(logits.argmax(1))  # of logits, as probabilities tie sooner
        self.confidences.append(logits.softmax(1).amax(1))
        self.labels.append(batch.labels)

    def test_logits(self, images: Tensor) -> Tensor:
        """Return the logits [B, classes] that are tested, of images [B, 3, H, W]."""
        logits: Tensor = self.learner.model(images)
        return logits

    def on_validation_epoch_end(self) -> None:
        """Compute counts, confusion matrix and calibration error of each test set."""
        collected = (self.predictions, self.labels, self.confidences)
        tested = [torch.cat(parts).cpu() for parts in collected]  # each [test images]
        self.predictions, self.labels, self.confidences = [], [], []
        everything = torch.arange(len(tested[0]))
        test, validation = everything.tensor_split([len(everything) - self.tests.validation])
        parts = {self.tests.name: test}
        if self.tests.long_tailed is not None:
            parts[LONG_TAILED] = self.tests.long_tailed.cpu()
        if len(validation):
            parts[VALIDATION] = validation
        # Not those of a checkpoint either, which an earlier version may have named otherwise.
        self.counts, self.confusions, self.calibration_errors = {}, {}, {}
        classes = self.tests.classes
        for name, part in parts.items():
            predictions, labels, confidences = (values[part] for values in tested)
            self.counts[name] = counts_by_class(predictions, labels, classes)
            if classes <= LARGEST_MATRIX:
                self.confusions[name] = confusion_matrix(predictions, labels, classes)
            self.calibration_errors[name] = calibration_error(confidences, predictions == labels)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the test results, for a run that dies after its last epoch and repeats none."""
        checkpoint["class_counts"] = self.counts
        checkpoint["confusions"] = self.confusions
        checkpoint["calibration_errors"] = self.calibration_errors

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the test results of the epoch before."""
        self.confusions = checkpoint["confusions"]
        self.calibration_errors = checkpoint["calibration_errors"]
        # Version 0.1.0 kept the matrix alone.
        matrices = {name: counts_of(matrix) for name, matrix in self.confusions.items()}
        self.counts = checkpoint.get("class_counts", matrices)

    def test_numbers(self) -> dict[str, float]:
        """Return the results of an epoch's tests; groups without classes are left out."""
        reports = self._reports(tuple(str(label) for label in range(self.tests.classes)))
        kept = ("accuracy", "macro_accuracy", "macro_f1", "calibration_error", *self.tests.groups)
        return {
            f"{key}_{name}": report[key]
            for key in kept
            for name, report in reports.items()
            if report[key] is not None
        }

    def test_accuracies(self) -> dict[str, float]:
        """Return the accuracy on each test set and the number that ranks results, in [0, 1]."""
        return {
            key: value
            for key, value in self.test_numbers().items()
            if key.startswith("accuracy_") or key == self.tests.headline
        }

    def results(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the entries `test`, with a report of each test set, and `validation`, if any.

        Args:
            names: names of the classes.
        """
        reports = self._reports(names)
        validation = reports.pop(VALIDATION, None)
        return {"test": reports} | ({} if validation is None else {VALIDATION: validation})

    def _reports(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the reports of each test set and of the images for validation."""
        return {
            name: report(
                counts,
                self.confusions.get(name),
                self.calibration_errors[name],
                names,
                self.tests.groups,
            )
            for name, counts in self.counts.items()
        }
