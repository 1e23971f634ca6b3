"""Batches of augmented views, in an order that depends only on seed, epoch and stream."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ltnas.config import InstanceSampler, Mix, NoMix, Sampler
from ltnas.data.mixing import draw_for, mix_views
from ltnas.data.placement import PlacedImages
from ltnas.data.samplers import epoch_length, epoch_order, power_order
from ltnas.data.seeds import derived_seed, generator


class View(Protocol):
    """Augmentation that makes one float view of each image of a batch, or a mask of it."""

    @property
    def draws(self) -> int:
        """Number of random numbers per image."""
        ...

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return float views [B, 3, H, W] of uint8 images [B, 3, H, W], or masks [B, 1, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: random numbers, uniform in [0, 1), [B, draws].
        """
        ...


class Partner(NamedTuple):
    """Second image of each image of a batch, for objectives that mix two images."""

    views: tuple[Tensor, ...]
    """Views of the partners, each float [B, 3, H, W]; empty if they are mixed into the batch's."""
    labels: Tensor
    """Class numbers of the partners, int64 [B]."""
    shares: tuple[Tensor, ...]
    """Share of the batch's own images in each view, in [0, 1], each [B] or a scalar."""


class Batch(NamedTuple):
    """Images of one update."""

    views: tuple[Tensor, ...]
    """Views of the images, each float [B, 3, H, W]; a mask of them is [B, 1, H, W]."""
    labels: Tensor
    """Class numbers of the images, int64 [B]."""
    partner: Partner | None = None

    def first(self, count: int) -> Batch:
        """Return a batch of the first `count` images."""
        return self._map(lambda x: x[:count] if x.dim() else x)

    def double(self) -> Batch:
        """Return the batch with its floating-point tensors in float64."""
        return self._map(lambda x: x.double() if x.is_floating_point() else x)

    def clone(self) -> Batch:
        """Return a copy with memory of its own."""
        return self._map(torch.clone)

    def tensors(self) -> Iterator[Tensor]:
        """Yield all tensors, always in the same order."""
        yield from (*self.views, self.labels)
        if self.partner is not None:
            yield from (*self.partner.views, self.partner.labels, *self.partner.shares)

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with `change` applied to every tensor."""
        partner = self.partner
        if partner is not None:
            views, labels, shares = partner
            partner = Partner(tuple(map(change, views)), change(labels), tuple(map(change, shares)))
        return Batch(tuple(map(change, self.views)), change(self.labels), partner)


class _Plan(NamedTuple):
    """Images and random numbers of a batch.

    Args:
        rows: positions of the images, int64 [B].
        random: random numbers, [B, draws].
        pairs: see `Stream._mixed_batch`; empty without mixing.
    """

    rows: Tensor
    random: Tensor
    pairs: Tensor = torch.empty(0, dtype=torch.int64)


class Stream:
    """Iterable over the full batches of an epoch; call `set_epoch` before each epoch.

    Every rank draws the order and the random numbers of the whole batch and takes every `ranks`-th
    row of it, so that the images of a step do not depend on the number of devices.

    Args:
        data: all images.
        indices: positions of the stream's images in `data`, int64 [N].
        batch_size: number of images of a batch, all ranks together. A stream with fewer images
            gives a single batch of all of them.
        views: augmentations; each makes one view of every image.
        seed: seed of the run.
        number: number of the stream within the run.
        rank: number of this process.
        ranks: number of processes that share each batch.
        sampler: value on the sampler axis; None for `InstanceSampler`.
        epochs: number of epochs of the run, for samplers that change during the run.
        first_epoch: number of epochs of the stages before this one.
        mix: way of mixing each image with another one; None for no mixing.
    """

    def __init__(
        self,
        data: PlacedImages,
        indices: Tensor,
        batch_size: int,
        views: tuple[View, ...],
        *,
        seed: int,
        number: int,
        rank: int = 0,
        ranks: int = 1,
        sampler: Sampler | None = None,
        epochs: int = 1,
        first_epoch: int = 0,
        mix: Mix | None = None,
    ) -> None:
        self.data, self.views = data, views
        self.indices, self.labels = indices, data.labels.cpu()[indices]
        self.sampler_config, self.epochs = sampler or InstanceSampler(), epochs
        counts = self.labels.bincount()  # [C], 0 for classes that the stream lacks
        self.length = epoch_length(self.sampler_config, counts[counts > 0])
        # Divisible by the number of ranks, so that all of them get equally many images.
        self.batch_size = min(batch_size, self.length // ranks * ranks)
        self.key = (seed, number)
        self.rank, self.ranks = rank, ranks
        self.mix = None if isinstance(mix, NoMix) else mix
        self.epoch = self.first_epoch = first_epoch

    @property
    def sampler(self) -> Stream:
        """The stream itself: Lightning calls `loader.sampler.set_epoch` before each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of this stage, from 0, that the next iteration goes through."""
        self.epoch = self.first_epoch + epoch

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        mix = self.mix
        plans = self._own_plans() if mix is None else self._mixed_plans(mix.partner_exponent)
        plans, for_rows = itertools.tee(plans)  # images may be read ahead of their batch
        pixels = self.data.batches(plan.rows for plan in for_rows)
        for step, (plan, (images, labels)) in enumerate(zip(plans, pixels, strict=True)):
            batch = self._batch(images, labels, plan.random)
            yield batch if mix is None else self._mixed_batch(mix, batch, plan.pairs, step)

    def _drawn(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield positions [batch_size] and random numbers [batch_size, draws] of whole batches."""
        order = epoch_order(
            self.sampler_config,
            self.labels,
            self.epoch / self.epochs,
            generator(*self.key, self.epoch),
        ).split(self.batch_size)
        draws = sum(view.draws for view in self.views)
        for step in range(len(self)):
            # A generator per step: the draws do not depend on earlier steps.
            step_generator = generator(*self.key, self.epoch, step + 1)
            random = torch.rand(self.batch_size, draws, generator=step_generator)
            yield self.indices[order[step]], random

    def _own_plans(self) -> Iterator[_Plan]:
        """Yield the plans of this rank's rows of each batch."""
        rows = slice(self.rank, None, self.ranks)
        for indices, random in self._drawn():
            yield _Plan(indices[rows], random[rows])

    def _mixed_plans(self, exponent: float | None) -> Iterator[_Plan]:
        """Yield the plans of this rank's rows and of the images that are mixed with them."""
        if exponent is None:
            yield from self._plans_with_next()
            return
        rows = slice(self.rank, None, self.ranks)
        pairs = torch.arange(2 * len(range(self.batch_size)[rows]))
        for own, other in zip(self._drawn(), self._drawn_partners(exponent), strict=True):
            indices, random = (
                torch.cat([a[rows], b[rows]]) for a, b in zip(own, other, strict=True)
            )
            yield _Plan(indices, random, pairs)

    def _drawn_partners(self, exponent: float) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield positions and random numbers of the partners of whole batches, see `_drawn`."""
        key = (*self.key, self.epoch)
        images = len(self) * self.batch_size
        order = power_order(exponent, self.labels, images, generator(*key, 0, 2))
        draws = sum(view.draws for view in self.views)
        for step, positions in enumerate(order.split(self.batch_size)):
            step_generator = generator(*key, step + 1, 2)
            random = torch.rand(self.batch_size, draws, generator=step_generator)
            yield self.indices[positions], random

    def _plans_with_next(self) -> Iterator[_Plan]:
        """Yield the plans of this rank's rows and of the next row of each in the whole batch."""
        for indices, random in self._drawn():
            # The next row usually belongs to another rank; each row is augmented here only once.
            own_rows = torch.arange(self.rank, len(indices), self.ranks)
            pairs = torch.cat([own_rows, (own_rows + 1) % len(indices)])
            rows, positions = pairs.unique(return_inverse=True)
            yield _Plan(indices[rows], random[rows], positions)

    def _mixed_batch(self, mix: Mix, batch: Batch, pairs: Tensor, step: int) -> Batch:
        """Return this rank's rows of a batch, each mixed with its partner.

        Args:
            mix: way of mixing.
            batch: views of the rows that are mixed, each once.
            pairs: positions in `batch` of this rank's rows, then of the rows mixed with them.
            step: number of the batch in the epoch, from 0.
        """
        first, second = pairs.to(batch.labels.device).chunk(2)
        seed = derived_seed(*self.key, self.epoch, step + 1, 1)
        draws = draw_for(mix, self.batch_size, seed)
        views, shares = mix_views(
            mix,
            tuple(view[first] for view in batch.views),
            tuple(view[second] for view in batch.views),
            draws.rows(slice(self.rank, None, self.ranks), batch.labels.device),
        )
        return Batch(views, batch.labels[first], Partner((), batch.labels[second], shares))

    def _batch(self, images: Tensor, labels: Tensor, random: Tensor) -> Batch:
        """Return the views of some images, made from random numbers [B, draws]."""
        parts = random.to(images.device, non_blocking=True)
        draws = parts.split([view.draws for view in self.views], 1)
        views = tuple(view(images, part) for view, part in zip(self.views, draws, strict=True))
        return Batch(views, labels)
