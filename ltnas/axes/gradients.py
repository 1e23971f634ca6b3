"""The axis of architecture gradients (DARTS, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ltnas import config as c
from ltnas.axes.chains import ChainLoss, Stage, Values, chain_gradient
from ltnas.axes.differentiation import Average, Tensors


def architecture_gradient(
    config: c.Gradient,
    *,
    stages: Callable[[], Sequence[Stage]],
    outer: ChainLoss,
    weights: Callable[[], Values],
    values: Callable[[], Values],
    architecture: Tensors,
    average: Average,
    ranks: int = 1,
    depth: int | None = None,
) -> Tensors:
    """Return the gradient of the architecture parameters by a value on the gradient axis.

    Args:
        config: value on the axis.
        stages: makes the virtual steps that the variables take next; called only by values that
            look ahead.
        outer: loss of the architecture.
        weights: returns the weights of each learner by name.
        values: makes the variables of the stages, which are these weights and what depends on
            them; called only by values that look ahead.
        architecture: architecture parameters by name; they require gradients.
        average: average of gradients over ranks.
        ranks: number of ranks.
        depth: see `chain_gradient`.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.FirstOrder():
            # At the current weights (DARTS, equation 7 with xi = 0): a chain without stages.
            return chain_gradient(
                (), outer, weights(), architecture, perturbation=0.0, average=average
            )
        case c.SecondOrder():
            return chain_gradient(
                stages(),
                outer,
                values(),
                architecture,
                perturbation=config.perturbation,
                average=average,
                ranks=ranks,
                depth=depth,
            )
        case _:
            raise TypeError(f"{config} is not a value on the gradient axis")
