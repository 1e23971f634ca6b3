"""Names of tensors in published code, by rules that translate those of this package."""

from __future__ import annotations

import re

from ltnas.config import OPERATIONS

Rules = tuple[tuple[str, str], ...]
"""Patterns in a name of this package, each with its replacement in the published code."""

_EDGES = (
    (r"^(cells\.\d+\.)mixed\.(\d+)\.operations\.", r"\1_ops.\2._ops."),
    (r"^(cells\.\d+\.)operations\.", r"\1_ops."),
)
# The layers of an operation are kept in its attribute `op`.
_LAYERS = r"^(cells\.\d+\.(?:preprocess[01]|_ops\.\d+(?:\._ops\.\d+)?)\.)(?=\d+\.)"
# The exception in DARTS is pooling with normalisation, a plain Sequential, where the normalisation
# has the number 1; no other operation has a normalisation with that number.
_NO_POOL = r"(?!1\.(?:running_mean|running_var|num_batches_tracked)$)"
# The last column of the mixing weights.
_AUXILIARY_SKIP = rf"^(cells\.\d+\.)mixed\.(\d+)\.operations\.{len(OPERATIONS)}\."

DARTS: Rules = (*_EDGES, (_LAYERS + _NO_POOL, r"\1op."))
DARTS_MINUS: Rules = ((_AUXILIARY_SKIP, r"\1_ops.\2.auxiliary_op."), *DARTS)
DRNAS: Rules = (*_EDGES, (_LAYERS, r"\1op."))
# Spectral normalisation keeps the weights that it divides under this name.
_UNDIVIDED = r"^(cells\.\d+\._ops\.\d+\._ops\..+\.weight)$"
MSR_DARTS: Rules = (*_EDGES, (_LAYERS, r"\1op."), (_UNDIVIDED, r"\1_orig"))


def broad_rules(cells: int, enhancement_cells: int) -> Rules:
    """Return the rules of the networks of BNAS-v2 (zixiangding/BNASv2).

    Args:
        cells: number of convolution cells.
        enhancement_cells: number of enhancement cells.
    """
    # Embeddings are a 1x1 convolution, and reductions in the order in which blocks need them.
    return (
        *DARTS,
        *((rf"^cells\.{cells + n}\.", f"en_cells.{n}.") for n in range(enhancement_cells)),
        (r"^cells\.", "conv_cells."),
        (r"^scales\.(\d)\.0\.", r"restricted_convs_gap.\1.op."),
        (r"^scales\.0\.1\.", "reduction_convs_gap.0."),
        (r"^scales\.0\.2\.", "reduction_convs_gap.1."),
        (r"^scales\.1\.1\.", "reduction_convs_gap.2."),
        (r"^bridges\.(\d)\.0\.", r"restricted_convs_en.\1.op."),
        (r"^bridges\.0\.1\.", "reduction_convs_en.0."),
        (r"^enhanced\.(\d+)\.0\.", r"restricted_ens_gap.\1.op."),
    )


def bare(name: str) -> str:
    """Return the name of a tensor without the prefix that DataParallel adds."""
    return name.removeprefix("module.")


def official_name(name: str, rules: Rules = DARTS) -> str:
    """Return the published code's name of a tensor of this package.

    Args:
        name: name of the tensor in a network of this package with a module for each edge.
        rules: rules of the published code.
    """
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
