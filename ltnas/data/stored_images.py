"""Decoded images in a file, of which only those that are asked for are read into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


class StoredImages:
    """Decoded images in a file: a stand-in for a tensor, uint8 [N, 3, H, W].

    The file is mapped into memory for each access alone. The kernel keeps what was read in its
    cache as long as there is room, but the process does not hold it.

    Args:
        path: path of the file; it is opened at once, and may be replaced afterwards.
        offset: position of the first image in the file, bytes.
        shape: number of images, channels, height and width.
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...]) -> None:
        self.file = path.open("rb")
        self.offset, self.shape = offset, torch.Size(shape)

    def __getitem__(self, rows: Any) -> Tensor:  # noqa: ANN401 - as of torch.Tensor
        """Return a copy of some images; `rows` is a slice or an int64 tensor on the CPU."""
        index = rows.numpy() if isinstance(rows, Tensor) else rows
        if not self.shape.numel():  # an empty file cannot be mapped
            return torch.zeros(self.shape, dtype=torch.uint8)[rows]
        mapped = np.memmap(self.file, np.uint8, "r", self.offset, tuple(self.shape))
        # A slice of the map is a view of the file; an index array has made a copy already.
        return torch.from_numpy(np.array(mapped[index], copy=isinstance(index, slice)))
