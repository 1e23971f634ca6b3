"""CIFAR-10 (Krizhevsky 2009), downloaded and verified by torchvision."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch

from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.resize import resize
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded


def load_cifar10(root: str | None, size: int | None, cache: Path) -> Source:
    """Load 50,000 training and 10,000 test images of 32 x 32 pixels in ten classes.

    Args:
        root: folder of the archive, which is downloaded if missing; None for the cache folder.
        size: side in pixels that images are scaled to; None keeps 32.
        cache: cache folder of the user.

    Raises:
        UserError: the download failed or the archive is damaged.
    """
    from torchvision.datasets import CIFAR10

    folder = expanded("data.root", root) if root is not None else cache / "cifar10"
    try:
        parts = [CIFAR10(str(folder), train=train, download=True) for train in (True, False)]
    except (URLError, TimeoutError, ConnectionError) as error:
        raise UserError(
            f"CIFAR-10 cannot be downloaded ({getattr(error, 'reason', error)}): copy "
            f"cifar-10-python.tar.gz into {folder}, or use data=cifar10_parquet data.root=PATH, "
            "or data=digits, which needs no download"
        ) from error
    except (RuntimeError, OSError, EOFError) as error:
        raise UserError(
            f"CIFAR-10 in {folder} cannot be read ({error}): delete that folder to download it "
            "again"
        ) from error
    # torchvision returns arrays of [N, H, W, 3].
    train, test = (
        LabelledImages(
            resize(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), size),
            torch.tensor(part.targets),
        )
        for part in parts
    )
    return Source(train, test, tuple(parts[0].classes))
