"""Quality of architectures with the weights of a trained supernet, which they all share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.data.stream import Batch
from ltnas.models.restriction import restricted
from ltnas.models.search_network import SearchNetwork
from ltnas.models.statistics import frozen_statistics
from ltnas.space.edge_masks import genotype_masks
from ltnas.space.genotype import Genotype
from ltnas.training.evaluation import counts_by_class, mean_of, recalls
from ltnas.training.learner_losses import Context


class Quality(NamedTuple):
    """Mean accuracy over the classes, in [0, 1], and the negative of the mean cross-entropy.

    The loss decides between architectures of equal accuracy.
    """

    accuracy: float
    negative_loss: float


class SharedWeights:
    """Measures architectures on a set of images with the weights of a trained supernet.

    Activations are normalised with the statistics of the batch: running statistics belong to the
    mixture of all architectures that the supernet was trained with (Bender et al. 2018, section
    3.3).

    Args:
        network: trained search network, on the CPU.
        device: device on which architectures are measured.
        autocast: makes the context of a forward pass.
    """

    def __init__(self, network: SearchNetwork, device: torch.device, autocast: Context) -> None:
        self.network, self.device, self.autocast = network, device, autocast

    def of_genotype(self, genotype: Genotype, batches: Iterable[Batch]) -> Quality:
        """Return the quality of a discrete architecture.

        Args:
            genotype: architecture of the space.
            batches: images and labels, on the device.
        """
        supernet = self.network.supernet
        masks = genotype_masks(genotype, supernet.nodes, supernet.operation_names)
        mixing = {kind: torch.tensor(mask).float() for kind, mask in masks.items()}
        # Only its operations are built, so that a measurement takes the time of a single network.
        return self.of_mixing(restricted(self.network, masks), mixing, batches)

    @torch.no_grad()
    def of_mixing(
        self, network: SearchNetwork, mixing: dict[str, Tensor], batches: Iterable[Batch]
    ) -> Quality:
        """Return the quality of a network with given mixing weights.

        Args:
            network: network with operations of the supernet.
            mixing: mixing weights by kind of cell, [edges, operations].
            batches: images and labels, on the device.
        """
        network.to(self.device).to(memory_format=torch.channels_last).train()
        weights = {kind: values.to(self.device) for kind, values in mixing.items()}
        logits, labels = [], []
        # The operation `noise` draws: the same for every architecture.
        with torch.random.fork_rng(), frozen_statistics(network), self.autocast():
            torch.manual_seed(0)
            for batch in batches:
                logits.append(network(batch.views[0], weights).float())
                labels.append(batch.labels)
        return quality(torch.cat(logits), torch.cat(labels))


def quality(logits: Tensor, labels: Tensor) -> Quality:
    """Return the quality of predictions.

    Args:
        logits: [N, classes].
        labels: class numbers, int64 [N].
    """
    classes = logits.shape[1]
    counts = counts_by_class(logits.argmax(1), labels, classes)
    # There is an image, and so a class with a recall.
    accuracy = mean_of(recalls(counts), range(classes)) or 0.0
    return Quality(accuracy, -float(F.cross_entropy(logits, labels)))
