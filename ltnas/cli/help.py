"""The help texts of the commands."""

from __future__ import annotations

import textwrap
from pathlib import Path

from ltnas.config.axes import AXES
from ltnas.config.proxy import PROXY_MEANINGS

HERE = Path(__file__).resolve().parents[1]


# A wheel carries the folder inside the package; in a checkout it lies beside it.
CONF = str(HERE / "conf" if (HERE / "conf").is_dir() else HERE.parent / "conf")


def help_text(name: str) -> str:
    """Return the help text of a command.

    Hydra's own help would take seconds, because it loads every choice of every group.
    """
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("ltnas.published", _published, replace=True)
    OmegaConf.register_new_resolver("ltnas.proxies", _proxies, replace=True)
    OmegaConf.register_new_resolver("ltnas.choices", _choices, replace=True)
    return str(OmegaConf.load(Path(CONF) / f"{name}.yaml").hydra.help.template)


def _choices(group: str) -> str:
    """Return the choices of an axis or of a group of `conf/`, as lines of a help text."""
    files = sorted(path.name[:-5] for path in (Path(CONF) / group).glob("*.yaml"))
    names = list(AXES[group]) if group in AXES else files
    # The group's name and two blanks stand before the first line.
    indent = " " * (len(group) + 4)
    return textwrap.fill(", ".join(names), 80, initial_indent=indent, subsequent_indent="    ")[
        len(indent) :
    ]


def _proxies() -> str:
    """Return the names of the proxies with what they measure, as lines of a help text."""
    return "\n  ".join(f"{name:<15} {meaning}" for name, meaning in PROXY_MEANINGS.items())


def _published() -> str:
    """Return the names for `genotype=NAME`, as a paragraph of the help text."""
    from ltnas.space.genotype import published_names

    return textwrap.fill(", ".join(published_names()), 78).replace("\n", "\n  ")
