"""LightningDataModule with the training streams and the batches of test images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader

from ltnas.config import Branches, Mix, OneBranch, Sampler, TwoBranches
from ltnas.data.augment import Normalisation
from ltnas.data.long_tail import LongTail
from ltnas.data.placement import PlacedImages, chosen_placement, place
from ltnas.data.stream import Batch, Stream, View
from ltnas.data.subset import Indices
from ltnas.data.two_streams import TwoStreams

TEST_BATCH_SIZES = {"cpu": 100}
"""Number of images of a test batch by kind of device; on CPUs small enough for the cache."""
DEFAULT_TEST_BATCH_SIZE = 500
"""Number of images of a test batch on all other devices."""


class TestBatches:
    """Iterable over all images of some sets in order, standardised, in batches.

    Args:
        sets: images.
        normalisation: preparation of the images.
    """

    __test__ = False  # pytest would collect the class because of its name

    def __init__(self, sets: Sequence[PlacedImages], normalisation: Normalisation) -> None:
        self.sets, self.normalisation = sets, normalisation
        self.size = TEST_BATCH_SIZES.get(sets[0].labels.device.type, DEFAULT_TEST_BATCH_SIZE)

    def __len__(self) -> int:
        return sum(-(-len(data.labels) // self.size) for data in self.sets)

    def __iter__(self) -> Iterator[Batch]:
        for data in self.sets:
            positions = torch.arange(len(data.labels)).split(self.size)
            for images, labels in data.batches(positions):
                yield Batch((self.normalisation.standardise_bytes(images),), labels)


@dataclass(frozen=True)
class Plan:
    """Description of a training stream.

    Args:
        positions: positions of the stream's images in `LongTail.train`, int64 [N].
        sampler: value on the sampler axis.
        views: augmentations; each makes one view of every image.
        rebalancing: sampler of a second stream that gives every batch a partner; None for a
            single stream.
        mixing: schedule of the first stream's share, see `branch_share`; unused without
            `rebalancing`.
        mix: way of mixing the images of a batch; None for no mixing.
        long_tail: images that the positions are of; None for those of the module.
    """

    positions: Indices
    sampler: Sampler
    views: tuple[View, ...]
    rebalancing: Sampler | None = None
    mixing: str = "parabolic"
    mix: Mix | None = None
    long_tail: LongTail | None = None


def second_stream(branches: Branches, sampler: Sampler) -> tuple[Sampler | None, str]:
    """Return the fields `rebalancing` and `mixing` of a `Plan`.

    Args:
        branches: value on the branches axis.
        sampler: sampler of the re-balancing branch; unused if there is one branch.

    Raises:
        TypeError: the value of `branches` is unknown.
    """
    match branches:
        case OneBranch():
            return None, "parabolic"
        case TwoBranches():
            return sampler, branches.mixing
        case _:
            raise TypeError(f"{branches} is not a value on the branches axis")


class LongTailData(L.LightningDataModule):
    """Named streams of a long-tailed training set, and its test images.

    Args:
        long_tail: training and test images.
        streams: plan of each stream by its name.
        batch_size: number of images of a batch, all devices together.
        seed: seed of the run.
        epochs: number of epochs of the run.
        first_epoch: number of epochs of the stages before this one.
        placement: `device`, `host` or `auto`, see `chosen_placement`.
    """

    def __init__(
        self,
        long_tail: LongTail,
        streams: dict[str, Plan],
        batch_size: int,
        seed: int,
        epochs: int,
        first_epoch: int = 0,
        placement: str = "auto",
    ) -> None:
        super().__init__()
        self.placement = placement
        self.long_tail, self.streams = long_tail, streams
        self.batch_size, self.seed, self.epochs = batch_size, seed, epochs
        self.first_epoch = first_epoch

    def setup(self, stage: str) -> None:
        """Place all images once, for this rank of the trainer."""
        assert self.trainer is not None
        trainer = self.trainer
        self.place_images(trainer.strategy.root_device, trainer.global_rank, trainer.world_size)

    def place_images(self, device: torch.device, rank: int = 0, ranks: int = 1) -> None:
        """Place all images once: on the training device if they fit.

        Args:
            device: training device.
            rank: number of this process.
            ranks: number of processes that share each batch.
        """
        self.rank, self.ranks = rank, ranks
        train = self.long_tail.train
        # Validation images follow the tested ones, see `TestSets`.
        tested = [self.long_tail.tested_images]
        if self.long_tail.validation is not None:
            tested.append(self.long_tail.validation)
        plans = self.streams.values()
        others = {id(plan.long_tail): plan.long_tail.train for plan in plans if plan.long_tail}
        kind = chosen_placement(self.placement, (train, *others.values(), *tested), device)
        self.train_data = place(train, device, kind)
        self.tested_data = [place(data, device, kind) for data in tested]
        self.other_data = {key: place(data, device, kind) for key, data in others.items()}

    def train_dataloader(self) -> CombinedLoader:
        """Return a loader of `{name: Batch}`; an epoch ends with the shortest stream."""
        return CombinedLoader(self.loaders(), "min_size")

    def loaders(self) -> dict[str, Stream | TwoStreams]:
        """Return the streams by name, after the images were placed."""
        return {
            name: self._loader(number, plan)
            for number, (name, plan) in enumerate(self.streams.items())
        }

    def _loader(self, number: int, plan: Plan) -> Stream | TwoStreams:
        first = self._stream(number, plan, plan.sampler)
        if plan.rebalancing is None:
            return first
        # Second streams are numbered after all first ones, so that no two streams draw alike.
        second = self._stream(len(self.streams) + number, plan, plan.rebalancing)
        return TwoStreams(first, second, plan.mixing)

    def _stream(self, number: int, plan: Plan, sampler: Sampler) -> Stream:
        other = plan.long_tail
        return Stream(
            self.train_data if other is None else self.other_data[id(other)],
            torch.from_numpy(plan.positions),
            self.batch_size,
            plan.views,
            seed=self.seed,
            number=number,
            rank=self.rank,
            ranks=self.ranks,
            sampler=sampler,
            epochs=self.epochs,
            first_epoch=self.first_epoch,
            mix=plan.mix,
        )

    def val_dataloader(self) -> TestBatches:
        """Return batches of the tested images, then of those for validation."""
        return TestBatches(self.tested_data, self.long_tail.normalisation)

    def transfer_batch_to_device(self, batch: object, device: torch.device, index: int) -> object:
        """Return the batch as it is: it was made on the training device."""
        return batch
