"""Batches of augmented views in an order that is a function of (seed, epoch, stream) alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ltnas.config import InstanceSampler, Mix, NoMix, Sampler
from ltnas.data.images import LabelledImages
from ltnas.data.mixing import draw, mix_views
from ltnas.data.samplers import epoch_length, epoch_order
from ltnas.data.seeds import derived_seed, generator


class View(Protocol):
    """Makes float views [B, 3, H, W] of uint8 images [B, 3, H, W] from draws [B, draws]."""

    @property
    def draws(self) -> int:
        """Random numbers it needs for an image."""
        ...

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """The views."""
        ...


class Partner(NamedTuple):
    """What a batch is mixed with.

    `views` are of other images, each float [B, 3, H, W], or none where the batch's views have them
    in already; `labels` are theirs, int64 [B]; `shares`, in [0, 1], are those of the batch itself
    in each of its views, [B] or [].
    """

    views: tuple[Tensor, ...]
    labels: Tensor
    shares: tuple[Tensor, ...]


class Batch(NamedTuple):
    """One update's images: `views`, each float [B, 3, H, W], and labels, int64 [B]."""

    views: tuple[Tensor, ...]
    labels: Tensor
    partner: Partner | None = None

    def first(self, count: int) -> Batch:
        """The first images of it."""
        return self._with(lambda x: x[:count] if x.dim() else x)

    def double(self) -> Batch:
        """Its images in float64."""
        return self._with(lambda x: x.double() if x.is_floating_point() else x)

    def _with(self, change: Callable[[Tensor], Tensor]) -> Batch:
        partner = self.partner
        if partner is not None:
            views, labels, shares = (partner.views, partner.labels, partner.shares)
            partner = Partner(tuple(map(change, views)), change(labels), tuple(map(change, shares)))
        return Batch(tuple(map(change, self.views)), change(self.labels), partner)


class Stream:
    """Iterates over full batches of the given images; call `set_epoch` before each epoch.

    Every rank draws order and augmentation of the whole batch and takes every `ranks`-th row of
    it, so that the images of a step do not depend on the number of devices.

    Args:
        data: all images, on the training device.
        indices: the stream's images.
        batch_size: of all ranks together. A stream with fewer images gives one batch of all.
        views: what is made of each image, one or more.
        seed: of the run.
        number: of the stream within the run.
        rank: of this process.
        ranks: how many processes share each batch.
        sampler: which images an epoch shows.
        epochs: of the run, over which samplers may move.
        mix: how each image is mixed with the one after it in its batch.
    """

    def __init__(
        self,
        data: LabelledImages,
        indices: Tensor,
        batch_size: int,
        views: tuple[View, ...],
        seed: int,
        number: int,
        rank: int = 0,
        ranks: int = 1,
        sampler: Sampler | None = None,
        epochs: int = 1,
        mix: Mix | None = None,
    ) -> None:
        self.data, self.views = data, views
        self.indices, self.labels = indices, data.labels.cpu()[indices]
        self.sampler_config, self.epochs = sampler or InstanceSampler(), epochs
        counts = self.labels.bincount()
        self.length = epoch_length(self.sampler_config, counts[counts > 0])
        self.batch_size = min(batch_size, self.length // ranks * ranks)
        self.key = (seed, number)
        self.rank, self.ranks = rank, ranks
        self.mix = None if isinstance(mix, NoMix) else mix
        self.epoch = 0

    @property
    def sampler(self) -> Stream:
        """Itself: Lightning calls `loader.sampler.set_epoch` before each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order the next iteration has."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        seed, number = self.key
        order = epoch_order(
            self.sampler_config,
            self.labels,
            self.epoch / self.epochs,
            generator(seed, number, self.epoch),
        ).split(self.batch_size)
        draws = sum(view.draws for view in self.views)
        for step in range(len(self)):
            own = generator(seed, number, self.epoch, step + 1)
            random = torch.rand(self.batch_size, draws, generator=own)
            rows = slice(self.rank, None, self.ranks)
            if self.mix is None:
                yield self._batch(self.indices[order[step][rows]], random[rows])
            else:
                yield self._mixed(self.mix, self.indices[order[step]], random, step)

    def _mixed(self, mix: Mix, indices: Tensor, random: Tensor, step: int) -> Batch:
        """This rank's rows of a whole batch, each mixed with the next one, whosever that is."""
        own = torch.arange(self.rank, len(indices), self.ranks)
        rows, where = torch.cat([own, (own + 1) % len(indices)]).unique(return_inverse=True)
        batch = self._batch(indices[rows], random[rows])
        first, second = where.to(batch.labels.device).chunk(2)
        draws = draw(mix.alpha, len(indices), derived_seed(*self.key, self.epoch, step + 1, 1))
        views, shares = mix_views(
            mix,
            tuple(view[first] for view in batch.views),
            tuple(view[second] for view in batch.views),
            draws.rows(slice(self.rank, None, self.ranks), batch.labels.device),
        )
        return Batch(views, batch.labels[first], Partner((), batch.labels[second], shares))

    def _batch(self, indices: Tensor, random: Tensor) -> Batch:
        device = self.data.images.device
        indices = indices.to(device, non_blocking=True)
        images = self.data.images[indices]
        parts = random.to(device, non_blocking=True).split([view.draws for view in self.views], 1)
        views = tuple(view(images, part) for view, part in zip(self.views, parts, strict=True))
        return Batch(views, self.data.labels[indices])
