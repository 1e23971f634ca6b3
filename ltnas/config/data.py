"""Source of the images, and the imbalance of their classes."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import (
    paths_to_text,
    require,
    require_choice,
    require_seed,
)
from ltnas.config.sources import KEYS, SOURCES, require_keys


@dataclass
class Imbalance:
    """Distribution of training images over classes (Cao et al. 2019)."""

    kind: str = "balance"
    """`balance`, `exp` and `step` profiles, or `natural`: the images as they are."""
    factor: float | None = None
    """Imbalance factor of `exp` and `step`: smallest class count over the largest, in (0, 1]."""

    def __post_init__(self) -> None:
        require_choice("imbalance.kind", self.kind, ("balance", "exp", "step", "natural"))
        if self.kind not in ("exp", "step"):
            require(
                self.factor is None,
                f"imbalance.factor={self.factor} means nothing for imbalance={self.kind}: "
                "leave it out, or take imbalance=exp or imbalance=step",
            )
            return
        require(
            self.factor is not None,
            f"imbalance={self.kind} needs a factor: add imbalance.factor=0.1",
        )
        assert self.factor is not None
        inverse = 1 < self.factor < float("inf")
        cure = f" it is {1 / self.factor:g}" if inverse else ", for example 0.1"
        require(
            0.0 < self.factor <= 1.0,
            f"imbalance.factor={self.factor:g} is outside (0, 1]: as a ratio of the smallest class "
            f"to the largest{cure}",
        )

    @property
    def name(self) -> str:
        """Name of the shipped choice: `exp0.1`, `step0.01`, `balance` or `natural`."""
        return self.kind if self.factor is None else f"{self.kind}{self.factor:g}"


@dataclass
class Data:
    """Source of the images, their normalisation and the plain training augmentation."""

    source: str = "cifar10"
    """Name of the source, one of `SOURCES`."""
    root: str | None = None
    """Path of the files, for most sources a folder; `cifar10` is downloaded to it."""
    # Keys that some sources read; see `ltnas.config.sources`.
    name: str | None = None
    """Name of the data set, for `torchvision`: CIFAR100, SVHN, Flowers102, ..."""
    hub: str | None = None
    """Data set on the Hugging Face hub, OWNER/NAME, for `parquet`; it is downloaded."""
    train: str | None = None
    """List of the training images, for `list`; None: the lists in `root` by their names."""
    test: str | None = None
    """List of the test images, for `list`."""
    images: str | None = None
    """Folder of the files that lists name; None: the folder `root`, or that of the list."""
    label: str | None = None
    """Column of the labels, for tables with several; None: the usual one."""
    image_size: int | None = None
    """Side of the images in pixels; None: the size that the source has."""
    stored_size: int | None = None
    """Side of the images as they are kept, if larger than `image_size`, pixels; views for training
    are then random resized crops of them, and tests see the central square. None: `image_size`."""
    min_crop_area: float = 0.08
    """Smallest area of a random resized crop as a share of the stored image (Szegedy et al.)."""
    mean: list[float] | None = None
    """Mean of each channel for pixels in [0, 1]; None: measured on the training subset."""
    std: list[float] | None = None
    """Standard deviation of each channel; None: measured on the training subset."""
    # Crop and flip as in DARTS.
    crop_padding: int = 4
    """Pixels of padding on each side before the random crop; 0: no crop."""
    flip: bool = True
    """True to mirror images at random."""
    split_seed: int = 0
    """Seed of the choice of test images from a data set that has no split of its own, and of
    images for validation."""
    validation: float | None = None
    """Share of the training images of each class that are held out for validation, in [0, 0.5];
    None: the validation split of the data set if it has one, 0: no validation."""
    indices: str | None = None
    """File with the positions of the training images; None: they follow the imbalance rule."""
    broken: str = "error"
    """`error` to stop at an image that cannot be read, `skip` to leave it out and to list it."""
    subset_seed: int = 0
    """Seed of the long-tailed subset and of the halves; 0 gives the images of Cao et al."""
    placement: str = "auto"
    """Place of the images: on the training `device`, on the `host`, or the device if they fit."""
    cache: str | None = None
    """Folder in which decoded images are kept; None: the user's cache folder."""
    # Not the usual 20 and 100 images: they do not separate ten classes of hundreds of images.
    few_below: int | None = None
    """Classes with fewer training images are few-shot; None: the last third of the log range."""
    many_above: int | None = None
    """Classes with more training images are many-shot; None: the first third of the log range."""

    @property
    def title(self) -> str:
        """Name of the data set for people: the source, and which of its data sets."""
        return " ".join(filter(None, (self.source, self.name, self.hub)))

    def __post_init__(self) -> None:
        paths_to_text(self, "root", "cache", "indices", "train", "test", "images")
        require_choice("data.source", self.source, tuple(SOURCES))
        require_keys(self.source, {key: getattr(self, key) for key in ("root", *KEYS)})
        size = self.image_size
        require(
            size is None or size >= 4,
            f"data.image_size={size} is too small: take 4 or more",
        )
        require(
            self.stored_size is None or size is not None,
            f"data.stored_size={self.stored_size} needs the side of the crops: add data.image_size",
        )
        require(
            self.stored_size is None or self.stored_size > (size or 0),
            f"data.stored_size={self.stored_size} must be larger than data.image_size={size}: "
            "leave it out to keep images as large as they are used",
        )
        require(
            0 < self.min_crop_area <= 1,
            f"data.min_crop_area={self.min_crop_area} is outside (0, 1]: it is a share of an image",
        )
        require(
            self.crop_padding >= 0,
            f"data.crop_padding={self.crop_padding} must be 0 or more pixels",
        )
        require_seed("data.subset_seed", self.subset_seed)
        require_seed("data.split_seed", self.split_seed)
        require(
            0 <= (self.validation or 0) <= 0.5,
            f"data.validation={self.validation} is outside [0, 0.5]: it is a share of the training "
            "images",
        )
        require_choice("data.placement", self.placement, ("auto", "device", "host"))
        require_choice("data.broken", self.broken, ("error", "skip"))
        if self.many_above is not None and self.few_below is not None:
            require(
                # A class of n images is in both groups if many_above < n < few_below.
                self.few_below <= self.many_above + 1,
                f"data.few_below={self.few_below} data.many_above={self.many_above}: a class would "
                "be both few- and many-shot; few_below must not be the larger",
            )
        require(
            (self.mean is None) == (self.std is None),
            f"data.mean={self.mean} data.std={self.std} go together: set both, or neither to have "
            "them measured",
        )
        for key, values in (("mean", self.mean), ("std", self.std)):
            require(
                values is None or len(values) == 3,
                f"data.{key}={values} must be three numbers: for red, green and blue",
            )
        require(
            self.std is None or min(self.std) > 0,
            f"data.std={self.std} must be above 0 in each channel",
        )


def decoded_size(data: Data) -> int | None:
    """Return the side of the images as they are kept, pixels; None if that of the source."""
    return data.image_size if data.stored_size is None else data.stored_size
