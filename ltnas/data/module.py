"""The LightningDataModule: images on the training device, streams, test batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor

from ltnas.config import Branches, Mix, Sampler, TwoBranches
from ltnas.data.images import LabelledImages
from ltnas.data.long_tail import LongTail
from ltnas.data.stream import Batch, Stream, View
from ltnas.data.subset import Indices
from ltnas.data.two_streams import TwoStreams

TEST_BATCH = {"cpu": 100}
"""Images of a test batch, for kinds of device: few where they are to stay in the cache."""
MOST_AT_ONCE = 500
"""On all others."""


class TestBatches:
    """All test images in order, standardised, in batches for one rank's share."""

    __test__ = False  # not a test of pytest's

    def __init__(self, data: LabelledImages, long_tail: LongTail) -> None:
        self.data, self.normalisation = data, long_tail.normalisation
        self.size = TEST_BATCH.get(data.images.device.type, MOST_AT_ONCE)

    def __len__(self) -> int:
        return -(-len(self.data.labels) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        images, labels = self.data.images.split(self.size), self.data.labels.split(self.size)
        for part, own in zip(images, labels, strict=True):
            yield Batch((self.normalisation.of_bytes(part),), own)


@dataclass(frozen=True)
class Plan:
    """A stream: positions in `LongTail.train`, what draws from them, what is made of each image.

    `rebalancing` draws a second batch for each of the first, which counts as `mixing` says; `mix`
    mixes the images of a batch.
    """

    positions: Indices
    sampler: Sampler
    views: tuple[View, ...]
    rebalancing: Sampler | None = None
    mixing: str = "parabolic"
    mix: Mix | None = None


def second_stream(branches: Branches, sampler: Sampler) -> tuple[Sampler | None, str]:
    """What of a plan is the re-balancing branch's: its sampler, and how the branches mix."""
    if isinstance(branches, TwoBranches):
        return sampler, branches.mixing
    return None, "parabolic"


class LongTailData(L.LightningDataModule):
    """Named streams of a long-tailed training set, and its test images.

    Args:
        long_tail: the data.
        streams: plans by name.
        batch_size: of all devices together.
        seed: of the run.
        epochs: of the run.
    """

    def __init__(
        self,
        long_tail: LongTail,
        streams: dict[str, Plan],
        batch_size: int,
        seed: int,
        epochs: int,
    ) -> None:
        super().__init__()
        self.long_tail, self.streams = long_tail, streams
        self.batch_size, self.seed, self.epochs = batch_size, seed, epochs

    def setup(self, stage: str) -> None:
        """Move the images to the training device, once."""
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        self.train_data = _to(self.long_tail.train, device)
        self.test_data = _to(self.long_tail.test, device)

    def train_dataloader(self) -> CombinedLoader:
        """`{name: Batch}` for each step; an epoch ends with the shortest stream."""
        loaders = {
            name: self._loader(number, plan)
            for number, (name, plan) in enumerate(self.streams.items())
        }
        return CombinedLoader(loaders, "min_size")

    def _loader(self, number: int, plan: Plan) -> Stream | TwoStreams:
        first = self._stream(number, plan, plan.sampler)
        if plan.rebalancing is None:
            return first
        # Numbers that no first stream has: the draws of all streams differ.
        second = self._stream(len(self.streams) + number, plan, plan.rebalancing)
        return TwoStreams(first, second, plan.mixing)

    def _stream(self, number: int, plan: Plan, sampler: Sampler) -> Stream:
        assert self.trainer is not None
        return Stream(
            self.train_data,
            torch.from_numpy(plan.positions),
            self.batch_size,
            plan.views,
            self.seed,
            number,
            self.trainer.global_rank,
            self.trainer.world_size,
            sampler,
            self.epochs,
            plan.mix,
        )

    def val_dataloader(self) -> TestBatches:
        """All test images; both test sets are read off their predictions."""
        return TestBatches(self.test_data, self.long_tail)

    def transfer_batch_to_device(self, batch: object, device: torch.device, index: int) -> object:
        """Nothing: batches are made where they are used."""
        return batch


def _to(data: LabelledImages, device: torch.device) -> LabelledImages:
    def move(tensor: Tensor) -> Tensor:
        return tensor.to(device)

    return LabelledImages(move(data.images), move(data.labels))
