"""Place of images during a run: the training device, or the host if they do not fit.

The placement cannot change a run: order and random numbers of its batches are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from ltnas.data.images import LabelledImages
from ltnas.runs.memory import available_memory

AHEAD = 2
"""Number of batches that are read from the host ahead of the step."""
LARGEST_SHARE = 0.5
"""Share of the available memory that images may take on a device."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class PlacedImages(Protocol):
    """Images that batches are taken from."""

    @property
    def labels(self) -> Tensor:
        """Class numbers of all images, int64 [N], on the training device."""
        ...

    def batches(self, positions: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pixels, uint8 [B, 3, H, W], and class numbers, int64 [B], on the training device.

        Args:
            positions: positions of the images of each batch, int64 [B], on the CPU.
        """
        ...


class OnDevice(NamedTuple):
    """Images in the memory of the training device.

    Args:
        images: uint8 [N, 3, H, W].
        labels: int64 [N].
    """

    images: Tensor
    labels: Tensor

    def batches(self, positions: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """See `PlacedImages`."""
        for chosen in positions:
            rows = chosen.to(self.images.device, non_blocking=True)
            yield self.images[rows], self.labels[rows]


class OnHost:
    """Images on the host, of which each batch is copied to the training device ahead of its step.

    Args:
        data: images in memory or in a file.
        device: training device.
    """

    def __init__(self, data: LabelledImages, device: torch.device) -> None:
        self.data, self.device = data, device
        self.labels = data.labels.to(device)
        # Copies on a stream of their own do not wait for the steps before them.
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def batches(self, positions: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """See `PlacedImages`."""
        for rows, pixels, copied in ahead(self._read, positions):
            if copied is not None:
                current = torch.cuda.current_stream(self.device)
                current.wait_event(copied)
                pixels.record_stream(current)  # the memory may be used again only after the step
            yield pixels, self.labels[rows.to(self.device, non_blocking=True)]

    def _read(self, rows: Tensor) -> tuple[Tensor, Tensor, torch.cuda.Event | None]:
        """Return positions, pixels on their way to the device, and the end of their copy."""
        pixels = self.data.take(rows)
        if self.stream is None:
            return rows, pixels, None
        with torch.cuda.stream(self.stream):
            on_device = pixels.pin_memory().to(self.device, non_blocking=True)
            return rows, on_device, self.stream.record_event()


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the results of a function in order, computed on a thread a few items ahead."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(thread.submit(function, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def place(data: LabelledImages, device: torch.device, kind: str) -> PlacedImages:
    """Place images for a run.

    Args:
        data: images.
        device: training device.
        kind: `device` or `host`.

    Raises:
        ValueError: the kind is unknown.
    """
    match kind:
        case "device":
            return OnDevice(_copied(data, device), data.labels.to(device))
        case "host":
            return OnHost(data, device)
        case _:
            raise ValueError(f"{kind} is not a placement of images")


def chosen_placement(kind: str, sets: Iterable[LabelledImages], device: torch.device) -> str:
    """Return `device` or `host` for a configured placement.

    Args:
        kind: `device`, `host`, or `auto`: `device` while images take at most half of its available
            memory.
        sets: all sets of images of the run.
        device: training device.
    """
    if kind != "auto":
        return kind
    needed = sum(data.bytes for data in sets)
    return "device" if needed <= LARGEST_SHARE * available_memory(device) else "host"


def _copied(data: LabelledImages, device: torch.device) -> Tensor:
    """Return all images in the memory of a device, uint8 [N, 3, H, W], copied part by part."""
    if isinstance(data.stored, Tensor) and data.rows is None:
        return data.stored.to(device)
    images = torch.empty((len(data), *data.stored.shape[1:]), dtype=torch.uint8, device=device)
    first = 0
    for part in data.parts():
        images[first : first + len(part)] = part
        first += len(part)
    return images
