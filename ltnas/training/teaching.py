"""Learning by Teaching: a student learns from pseudo-labels of the searched supernet.

Three levels (Sheth, Jiang and Xie 2021, arXiv 2103.07009): the teacher's weights, the student's
weights given what the teacher says of images without labels, and the architecture given both.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas import config as c
from ltnas.axes.chains import Stage, Values, WeightStep
from ltnas.axes.differentiation import Tensors
from ltnas.models.statistics import frozen_statistics
from ltnas.training.graphs import Batches, Notes
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context
from ltnas.training.levels import SUPERNET, Levels, training_notes
from ltnas.training.search_losses import SearchLosses
from ltnas.training.weight_update import WeightUpdate

STUDENT = "student"
"""Name of the student, and of the stream of its labelled images."""
UNLABELLED = "unlabelled"
"""Name of the stream of images whose labels are not used."""


def soft_labels(logits: Tensor, log_priors: Tensor, correction: float) -> Tensor:
    """Return the probabilities that a teacher gives to the classes, [B, C].

    Args:
        logits: logits of the teacher, [B, C].
        log_priors: logarithm of the share of each class in what the teacher was trained on, [C].
        correction: multiple of it that is subtracted (Menon et al. 2021, equation 9).
    """
    return (logits - correction * log_priors).softmax(1)


class Teaching(Levels):
    """The supernet as teacher of a student.

    Pseudo-labels are probabilities, because a gradient of the student's loss must reach the
    teacher. The student's loss is L(labelled) + lambda L(pseudo-labelled), that of the architecture
    L(teacher) + gamma L(student), both on the architecture's images.

    Args:
        losses: losses of the teacher.
        student: the student.
        config: weights of the losses.
        counts: number of images of each class that an epoch shows the teacher, [C].
    """

    log_priors: Tensor

    def __init__(
        self, losses: SearchLosses, student: Learner, config: c.Teaching, counts: Tensor
    ) -> None:
        super().__init__(losses, {STUDENT: student}, weight=config.student_weight)
        self.config, self.student = config, self.others[STUDENT]
        priors = counts.double().clamp_min(1) / counts.double().clamp_min(1).sum()
        self.register_buffer("log_priors", priors.log().float(), persistent=False)

    def stages(
        self, batches: Batches, steps: Mapping[str, WeightStep], context: Context
    ) -> list[Stage]:
        """Return a step of the teacher, then one of the student."""
        labelled = self.student.trial(batches[STUDENT], context)
        images = batches[UNLABELLED].views[0]

        def loss(values: Values, architecture: Tensors) -> Tensor:
            logits = self.losses.logits(images, context, values[SUPERNET], architecture)
            answers = self.student.logits(images, context, values[STUDENT], architecture)
            return labelled(values[STUDENT], architecture) + self._distance(answers, logits)

        student = Stage(STUDENT, loss, steps[STUDENT])
        return [*super().stages(batches, steps, context), student]

    def weight_steps(
        self, batches: Batches, updates: Mapping[str, WeightUpdate], context: Context
    ) -> Notes:
        """Take one step of the student on the sum of both losses."""
        batch, images = batches[STUDENT], batches[UNLABELLED].views[0]
        teacher = self.losses.learner
        with context(), torch.no_grad(), frozen_statistics(teacher):
            logits = teacher.model(images)
        with context():
            losses = self.student.at_fixed_architecture(batch)
        answers = self.student.logits(images, context, {}, self.student.fixed_architecture())
        distance = self._distance(answers, logits)
        updates[STUDENT].descend(losses.total + distance)
        return training_notes(STUDENT, losses, batch)

    def passes(self, gradient: c.Gradient) -> dict[str, int]:
        """See `Levels`."""
        if isinstance(gradient, c.SecondOrder):
            return {SUPERNET: 9, STUDENT: 9}
        return {SUPERNET: 3, STUDENT: 3}

    def _distance(self, answers: Tensor, logits: Tensor) -> Tensor:
        """Return the weighted cross-entropy of the student's logits to the teacher's, [B, C]."""
        full = torch.promote_types(logits.dtype, torch.float32)
        labels = soft_labels(logits.to(full), self.log_priors, self.config.prior_correction)
        return self.config.pseudo_label_weight * F.cross_entropy(answers.to(full), labels)
