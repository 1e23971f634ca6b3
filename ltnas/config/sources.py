"""Sources of images, and the keys that say where their files are."""

from __future__ import annotations

from ltnas.config.requirements import require

SOURCES: dict[str, tuple[str, ...]] = {
    "cifar10": (),
    "cifar10_parquet": ("root",),
    "cifar100": (),
    "digits": (),
    "folder": ("root",),
    "list": ("root", "train"),
    "npz": ("root",),
    "parquet": ("root", "hub"),
    "torchvision": ("name",),
}
"""Keys of `data` of which a source needs at least one, by the name of the source."""

KEYS: dict[str, tuple[str, ...]] = {
    "name": ("torchvision",),
    "train": ("list",),
    "test": ("list",),
    "images": ("list",),
    "label": ("list", "parquet", "cifar10_parquet"),
    "hub": ("parquet",),
}
"""Sources that read a key of `data`; keys that are not listed are for all."""

EXAMPLES = {"name": "CIFAR100", "hub": "OWNER/NAME"}
"""Value of a key in messages; otherwise PATH."""


def require_keys(source: str, given: dict[str, str | None]) -> None:
    """Raise a `UserError` if a key is missing that a source needs, or given that it does not read.

    Args:
        source: name of the source.
        given: values of `root` and of the keys in `KEYS`; None for a key that is not set.
    """
    needed = SOURCES[source]
    choices = " or ".join(f"data.{key}={EXAMPLES.get(key, 'PATH')}" for key in needed)
    require(
        not needed or any(given[key] is not None for key in needed),
        f"data={source} does not say where its images are: add {choices}",
    )
    for key, sources in KEYS.items():
        require(
            given[key] is None or source in sources,
            f"data.{key}={given[key]} means nothing for data={source}: it is for "
            f"{' and '.join(f'data={name}' for name in sources)}",
        )
