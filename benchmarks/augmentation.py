"""Time of the batched augmentation beside torchvision, image by image, and kornia.

    python -m benchmarks.augmentation [device=cpu] [repeats=20]

Each contender makes float views of the same uint8 batch on the device; the time includes drawing
its random numbers. Contenders take turns in one process, so that a slow phase of the machine
affects all of them.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torchvision.transforms import v2

from ltnas.data.augment import Normalisation, PlainView, TwinView

try:
    import kornia.augmentation as kornia
except ImportError:
    kornia = None

Make = Callable[[Tensor], Tensor]

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SIDE, PADDING, HOLE, MIN_AREA = 32, 4, 16, 0.2
BATCHES = (64, 256)
SECONDS = 20.0
"""Seconds after which a contender is not repeated any more, once it has run five times."""


def ours(view: PlainView | TwinView) -> Make:
    """Return the view of this package; random numbers are drawn on the CPU, as in a stream."""
    return lambda images: view(
        images, torch.rand(len(images), view.draws).to(images.device, non_blocking=True)
    )


def one_by_one(*transforms: nn.Module | Callable[[Tensor], Tensor]) -> Make:
    """Return a function that applies torchvision transforms to each image of a batch."""
    transform = v2.Compose(list(transforms))
    return lambda images: torch.stack([transform(image) for image in images])


def erase(image: Tensor) -> Tensor:
    """Erase a square of the image in place, as cutout in the code of DARTS does."""
    y, x = torch.randint(0, SIDE, (2,)).tolist()
    top, left = max(y - HOLE // 2, 0), max(x - HOLE // 2, 0)
    image[:, top : y + HOLE // 2, left : x + HOLE // 2] = 0
    return image


def batched(*transforms: nn.Module) -> Make:
    """Return a function that applies kornia transforms to a batch, with draws for each image."""
    transform = nn.Sequential(*transforms)
    return lambda images: transform(images.float().div_(255))


def plain_views() -> dict[str, Make | None]:
    """Return the contenders for padded crop, horizontal flip, normalisation and cutout."""
    tensors = (v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD))
    return {
        "ltnas": ours(PlainView(Normalisation(MEAN, STD), PADDING, flip=True, cutout=HOLE)),
        "torchvision": one_by_one(
            v2.RandomCrop(SIDE, PADDING), v2.RandomHorizontalFlip(), *tensors, erase
        ),
        "kornia": kornia
        and batched(
            kornia.RandomCrop((SIDE, SIDE), PADDING),
            kornia.RandomHorizontalFlip(),
            kornia.Normalize(MEAN, STD),
            kornia.RandomErasing((HOLE**2 / SIDE**2,) * 2, (1.0, 1.0), p=1.0),
        ),
    }


def twin_views() -> dict[str, Make | None]:
    """Return the contenders for resized crop, flip, colour jitter, greyscale and normalisation."""
    jitter = (0.4, 0.4, 0.2, 0.1)
    return {
        "ltnas": ours(TwinView(Normalisation(MEAN, STD), MIN_AREA, True, 0.4, 0.8, 0.2)),
        "torchvision": one_by_one(
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomResizedCrop(SIDE, (MIN_AREA, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(*jitter)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.Normalize(MEAN, STD),
        ),
        "kornia": kornia
        and batched(
            kornia.RandomResizedCrop((SIDE, SIDE), (MIN_AREA, 1.0), cropping_mode="resample"),
            kornia.RandomHorizontalFlip(),
            kornia.ColorJitter(*jitter, p=0.8),
            kornia.RandomGrayscale(p=0.2),
            kornia.Normalize(MEAN, STD),
        ),
    }


def milliseconds(make: Make, images: Tensor) -> float:
    """Return the milliseconds that one batch takes."""
    if images.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    views = make(images)
    if images.is_cuda:
        torch.cuda.synchronize()
    assert views.shape == images.shape
    assert views.dtype == torch.float32
    return 1000 * (time.perf_counter() - start)


def measure(makes: dict[str, Make], images: Tensor, repeats: int) -> dict[str, list[float]]:
    """Return the times of each contender in ms, taken in turns after two warm-up calls each."""
    for make in makes.values():
        for _ in range(2):
            milliseconds(make, images)
    times: dict[str, list[float]] = {name: [] for name in makes}
    names = list(makes)
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if len(times[name]) < 5 or sum(times[name]) < 1000 * SECONDS:
                times[name].append(milliseconds(makes[name], images))
    return times


def main(device: str = "cpu", repeats: int = 20) -> None:
    """Measure all contenders and print the table."""
    torch.manual_seed(0)
    table = Table(
        title=f"{device}, {torch.get_num_threads()} torch threads, torch {torch.__version__}"
    )
    for column in ("view", "batch", "by"):
        table.add_column(column, no_wrap=True)
    for column in ("median ms", "ratio to ltnas", "interquartile ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for view, contenders in (("plain", plain_views()), ("twin", twin_views())):
        for batch in BATCHES:
            images = torch.randint(0, 256, (batch, 3, SIDE, SIDE), dtype=torch.uint8).to(device)
            makes = {name: make for name, make in contenders.items() if make is not None}
            times = measure(makes, images, repeats)
            own = statistics.median(times["ltnas"])
            for name in contenders:
                if name not in times:
                    table.add_row(view, str(batch), name, "not installed", "", "")
                    continue
                low, median, high = statistics.quantiles(times[name], n=4)
                table.add_row(
                    *(view, str(batch), name, f"{median:.2f}", f"{median / own:.2f}"),
                    f"{low:.2f} to {high:.2f}",
                )
            table.add_section()
    Console().print(table)


def arguments(words: list[str]) -> tuple[str, int]:
    """Return device and number of repeats from the words of the command line."""
    known = {"device": "cpu", "repeats": "20"}
    for word in words:
        key, equals, value = word.partition("=")
        if key not in known or not equals:
            sys.exit(
                f"{word} is not known: python -m benchmarks.augmentation [device=cpu] [repeats=20]"
            )
        known[key] = value
    if not known["repeats"].isdecimal() or int(known["repeats"]) < 2:
        sys.exit(f"repeats={known['repeats']} must be 2 or more")
    return known["device"], int(known["repeats"])


if __name__ == "__main__":
    main(*arguments(sys.argv[1:]))
