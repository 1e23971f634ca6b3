"""Compilation of models by torch.compile, cell by cell."""

from __future__ import annotations

import torch

from ltnas.models.branches import BranchedModel

VARIANTS = 256
"""Largest number of compiled variants in a process: by kind of cell, by training or evaluation, by
which inputs get a gradient. With PyTorch's limit of 8 the ninth would silently not be compiled."""


def compile_cells(model: BranchedModel, backend: str = "inductor") -> None:
    """Compile each cell at its first use.

    Cells of one kind and width share what is compiled. Sizes are static; rates, temperatures and
    drop path are tensors or outside of cells, so that none of them compiles anything again.
    """
    torch._dynamo.config.cache_size_limit = VARIANTS
    for cell in model.compilable():
        cell.compile(backend=backend, dynamic=False)
