"""Values of configuration files that depend on the imbalance factor.

A recipe writes `head: ${by_imbalance:{0.01:0.3,0.02:0.2,0.1:0.1}}`, and the configuration that is
composed has the number of the factor that is nearest to its own. Configuration files in folders of
runs and fingerprints contain the number alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from ltnas.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

Value = TypeVar("Value")

NAME = "by_imbalance"
"""Name of the resolver in configuration files."""


def register_by_imbalance() -> None:
    """Make `${by_imbalance:{FACTOR:VALUE,...}}` known to OmegaConf, in this process."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver(NAME, _resolve, replace=True)


def nearest_value(values: Mapping[float, Value], kind: str, factor: float | None) -> Value:
    """Return the value whose factor is nearest to that of an imbalance.

    The distance is that of the logarithms, as factors are ratios. Balanced images have the value of
    the largest factor. The factor of `natural` images is not known before they are counted; as such
    data sets are chosen for their long tails, they have the value of the smallest factor.

    Args:
        values: values by the imbalance factor that they are for, in (0, 1].
        kind: kind of the imbalance, as in `ltnas.config.Imbalance`.
        factor: imbalance factor; None for kinds without one.
    """
    if factor is None or not 0 < factor <= 1:  # a factor out of range is refused by `Imbalance`
        factor = 1.0 if kind == "balance" else min(values)
    wanted = math.log(factor)
    # Of two factors that are equally near, the smaller one.
    return values[min(sorted(values), key=lambda known: abs(math.log(known) - wanted))]


def _resolve(values: object = None, *, _root_: DictConfig) -> object:
    """Return the value for the imbalance of the configuration that contains the expression.

    Raises:
        UserError: there is no table of factors, or the configuration has no imbalance.
    """
    if not isinstance(values, dict) or not values or not all(map(_is_factor, values)):
        raise UserError(
            f"{NAME} needs values by imbalance factors in (0, 1], not {values}: write for example "
            f"${{{NAME}:{{0.01:0.3,0.1:0.1}}}}"
        )
    imbalance = _root_.get("imbalance")
    if imbalance is None:
        raise UserError(
            f"{NAME} in a configuration without imbalance: write a number, or use it in the files "
            "of ltnas.search, ltnas.retrain and ltnas.pipeline"
        )
    return nearest_value(values, imbalance.kind, imbalance.factor)


def _is_factor(key: object) -> bool:
    """Return True for an imbalance factor."""
    return isinstance(key, int | float) and 0 < key <= 1
