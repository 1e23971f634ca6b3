"""torch.compile, cell by cell."""

from __future__ import annotations

import torch

from ltnas.models.branches import BranchedModel

VARIANTS = 256
"""Compiled forms that a process may have: kinds of cell, by training and evaluation, by what gets
a gradient. PyTorch's limit of 8 would send the ninth cell back to the interpreter, unnoticed."""


def compile_cells(model: BranchedModel, backend: str = "inductor") -> None:
    """Compile each cell at its first use.

    Cells of one kind and width share what is compiled. Sizes are static; rates, temperatures and
    drop path are tensors or outside of cells, so that none of them compiles anything again.
    """
    torch._dynamo.config.cache_size_limit = VARIANTS
    for cell in model.compilable():
        cell.compile(backend=backend, dynamic=False)
