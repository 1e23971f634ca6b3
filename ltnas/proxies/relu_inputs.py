"""The inputs of all ReLUs of a network, however they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ltnas.kernels.switch import without_kernels

RELUS = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)


class _ReluInputs(TorchDispatchMode):
    """A mode that calls `visit` with the input of each ReLU before it is computed.

    PyTorch calls the mode for every operation, whether a module or a function has asked for it.
    """

    visit: Callable[[Tensor], None]

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        if func in RELUS:
            self.visit(args[0])
        return func(*args, **(kwargs or {}))


def visit_relu_inputs(network: nn.Module, images: Tensor, visit: Callable[[Tensor], None]) -> None:
    """Compute a network without gradients, and call a function with the input of each ReLU.

    Args:
        network: network that maps images to logits.
        images: [B, 3, H, W].
        visit: function that gets [B, ...], in the order of the computation. An input that several
            operations of a cell rectify is visited once for each.
    """
    mode = _ReluInputs()  # type: ignore[no-untyped-call]  # its base is without types
    mode.visit = visit
    with torch.no_grad(), without_kernels(), mode:
        network(images)
