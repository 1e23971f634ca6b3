"""The regulariser axis: a term on the mixing weights in the loss of the architecture step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass
class Regulariser:
    """Base of the values on the regulariser axis."""

    needs_gates: ClassVar[bool] = False
    """True for a term that makes no sense for mixing weights that sum to one."""
    needs_dirichlet: ClassVar[bool] = False
    """True for a term of the parameters of Dirichlet distributions."""

    weight: float = 0.0
    """Factor of the term in the loss."""


@dataclass
class NoRegulariser(Regulariser):
    """No additional term."""


@dataclass
class ZeroOneL1(Regulariser):
    """-mean |w - 1/2| (arXiv 2406.16949, equation 6)."""

    needs_gates: ClassVar[bool] = True
    # The paper gives the form of the term and no weight.
    weight: float = 1.0


@dataclass
class ZeroOneL2(Regulariser):
    """-mean (w - 1/2)^2, with the weight of the FairDARTS code."""

    needs_gates: ClassVar[bool] = True
    weight: float = 10.0


@dataclass
class DirichletDivergence(Regulariser):
    """sum over edges of KL(Dirichlet(elu(parameters) + 1), Dirichlet(1)) (DrNAS).

    With the weight of the DrNAS code, which has it as an option.
    """

    needs_dirichlet: ClassVar[bool] = True
    weight: float = 1e-3


@dataclass
class Cost(Regulariser):
    """Logarithms of the expected parameters, multiply-accumulates and memory accesses (SNAS).

    Their mean, summed over the edges of both kinds of cell and averaged over the cells of a kind,
    as in the code of Xie et al. (2019). Mixing weights are the probabilities of operations.
    """

    # Of the authors' code for eight cells; it has 1.5e-3 for twenty.
    weight: float = 1e-2


REGULARISERS: dict[str, type[Regulariser]] = {
    "none": NoRegulariser,
    "zero_one_l1": ZeroOneL1,
    "zero_one_l2": ZeroOneL2,
    "dirichlet_divergence": DirichletDivergence,
    "cost": Cost,
}
