"""Training of a supernet between the decisions of a selection by removal (Wang et al. 2021)."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.axes.schedules import weight_rate
from ltnas.data.long_tail import LongTail
from ltnas.data.seeds import derived_seed
from ltnas.data.stream import Stream
from ltnas.data.two_streams import TwoStreams
from ltnas.distributed.collectives import alone
from ltnas.models.search_network import SearchNetwork
from ltnas.objectives import Objective
from ltnas.space.layout import edges
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context
from ltnas.training.optimisation import descend, set_rate, weight_optimiser
from ltnas.training.search_parts import build_data


class Tuning:
    """Trains the weights of a network whose mixing weights a selection decides on.

    As in the published code, SGD starts anew before the first decision, with a tenth of the rate of
    the search, which falls to its last value over all epochs. Unlike there, the mixing weights of
    edges that are not decided yet stay those of the search.

    Args:
        network: network to train; its classifier may be that of another network, and is replaced
            by a copy.
        objective: objective of the weights; a copy of it is trained where it has parameters.
        stream: images of the weights.
        config: settings of the search.
        autocast: makes the context of a forward pass.
        device: training device.
    """

    def __init__(
        self,
        network: SearchNetwork,
        objective: Objective,
        stream: Stream | TwoStreams,
        *,
        config: c.SearchConfig,
        autocast: Context,
        device: torch.device,
    ) -> None:
        assert isinstance(config.selection, c.Removal)
        network.classifier = copy.deepcopy(network.classifier)
        self.network, self.stream, self.autocast, self.device = network, stream, autocast, device
        self.learner = Learner(network, copy.deepcopy(objective)).to(device)
        self.weights = tuning_weights(config.weights)
        self.optimiser = weight_optimiser(self.learner.weights().values(), self.weights)
        self.each, self.total = config.selection.tune_epochs, tuning_epochs(config)
        self.kinds, self.seed, self.batches = (
            len(config.macro.kinds),
            config.seed,
            config.limit_batches,
        )
        self.calls = self.epoch = 0

    def __call__(self, mixing: dict[str, Tensor]) -> None:
        """Note a decision, and train the weights if one was made for each kind of cell.

        Args:
            mixing: mixing weights after the decision by kind of cell, [edges, operations].
        """
        self.calls += 1
        if self.calls % self.kinds:
            return
        given = {kind: values.to(self.device) for kind, values in mixing.items()}
        for _ in range(self.each):
            # The other ranks of the run have ended; random operations draw by the epoch.
            with alone(), torch.random.fork_rng(), self.network.given_weights(given):
                torch.manual_seed(derived_seed(self.seed, self.epoch, 5) % 2**32)
                self._train_epoch()
            self.epoch += 1

    def _train_epoch(self) -> None:
        """Train the weights on one epoch of their images."""
        self.learner.train()
        self.stream.set_epoch(self.epoch)
        set_rate(self.optimiser, weight_rate(self.weights, self.epoch, self.total))
        for batch in itertools.islice(self.stream, self.batches):
            with self.autocast():
                losses = self.learner(batch)
            descend(losses.total, self.learner.clip_groups(), self.optimiser, self.weights.clip)


def tuning_weights(config: c.WeightOptimiser) -> c.WeightOptimiser:
    """Return settings with a tenth of the learning rate, without a warm-up."""
    first = config.learning_rate / 10
    last = min(config.final_learning_rate, first)
    return replace(config, learning_rate=first, final_learning_rate=last, warmup_epochs=0)


def tuning_epochs(config: c.SearchConfig) -> int:
    """Return the number of epochs between all decisions of a selection; 0 if it is no removal.

    For each kind of cell there is a decision on each edge and on each node, and there is no epoch
    after the last ones.
    """
    if not isinstance(config.selection, c.Removal):
        return 0
    nodes = config.space.nodes
    return config.selection.tune_epochs * (len(edges(nodes)) + nodes - 1)


def tuning_stream(
    config: c.SearchConfig, long_tail: LongTail, device: torch.device
) -> Stream | TwoStreams:
    """Return the images of the weights in epochs that follow those of the search.

    Args:
        config: configuration of the search.
        long_tail: images.
        device: training device.
    """
    data = build_data(config, long_tail)
    data.first_epoch = config.epochs
    data.epochs = config.epochs + tuning_epochs(config)
    data.place_images(device)
    return data.loaders()["weights"]
