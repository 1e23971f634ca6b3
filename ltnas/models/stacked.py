"""Candidate operations of several edges at once: the edges that leave a state see the same input.

Stacked tensors have the edges' channels side by side, [B, edges * C, H, W]. Each module takes a
rectified state (ReLU is shared by the edges) and a scale for each channel of its output, by which
the mixing weight is folded into the last normalisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.kernels import gpu
from ltnas.kernels.convolutions import Geometry
from ltnas.kernels.eligibility import known_to_gpu
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.models.depthwise import depthwise
from ltnas.models.pools import maximum_pool, mean_pool
from ltnas.models.spectral import normalised_kernels, normalised_matrices


def normalise(layer: nn.Module, x: Tensor, scale: Tensor | None) -> Tensor:
    """Return x normalised by a layer without parameters and multiplied by a scale.

    In PyTorch the layer does not count the batch: a cell counts it for all of its layers at once.

    Args:
        layer: normalisation layer.
        x: input, [B, channels, H, W].
        scale: factor of each channel, [channels]; None: 1.
    """
    # Distributed training replaces layers by synchronised ones, which take no scale.
    if type(layer) is not nn.BatchNorm2d:
        y: Tensor = layer(x)
        return y if scale is None else y * scale.to(y.dtype).view(1, -1, 1, 1)
    if gpu.takes(x) and known_to_gpu(layer):
        return gpu.normalise(layer, x, scale)
    # The same as calling the layer, but with the scale in the same pass.
    use_batch = layer.training or not layer.track_running_stats
    has_running = layer.track_running_stats
    assert layer.momentum is not None
    return F.batch_norm(
        x,
        running_mean=layer.running_mean if has_running else None,
        running_var=layer.running_var if has_running else None,
        # The mixing weight: its gradient is that of a learned scale, without another pass.
        weight=scale,
        training=use_batch,
        momentum=layer.momentum,
        eps=layer.eps,
    )


def filter_weights(filters: int, *shape: int) -> nn.Parameter:
    """Return weights of filters, [filters, *shape], drawn as by `nn.Conv2d`."""
    weight = nn.Parameter(torch.empty(filters, *shape))
    nn.init.kaiming_uniform_(weight, a=5**0.5)
    return weight


class Unit(nn.Module):
    """Depthwise convolution, pointwise convolution and normalisation of each edge.

    Args:
        edges: number of stacked edges.
        channels: channels of one edge.
        kernel: side of the depthwise kernels.
        stride: stride of the depthwise convolution.
        dilation: dilation of the depthwise convolution.
        spectral: True to divide each convolution by its largest singular value.
    """

    def __init__(
        self,
        edges: int,
        channels: int,
        kernel: int,
        stride: int,
        dilation: int,
        *,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.edges, self.geometry, self.spectral = (
            edges,
            Geometry(kernel, stride, dilation),
            spectral,
        )
        self.depthwise = filter_weights(edges * channels, 1, kernel, kernel)
        self.pointwise = filter_weights(edges * channels, channels, 1, 1)
        self.norm = nn.BatchNorm2d(edges * channels, affine=False)

    def weights(self, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the depthwise and the pointwise weights that every executor computes with.

        Args:
            size: height and width of the input, pixels.
        """
        if not self.spectral:
            return self.depthwise, self.pointwise
        kernels = normalised_kernels(self.depthwise, self.edges, self.geometry, size)
        return kernels, normalised_matrices(self.pointwise, self.edges)

    def forward(self, x: Tensor, scale: Tensor | None) -> Tensor:
        """Map a rectified, stacked input [B, edges * C, H, W] to [B, edges * C, H', W']."""
        kernels, matrices = self.weights(x.shape[2:])
        y = depthwise(x, kernels, self.geometry.stride, self.geometry.dilation)
        return normalise(self.norm, F.conv2d(y, matrices, groups=self.edges), scale)

    def tensors(self, size: Sequence[int]) -> EdgeUnits | None:
        """Return the unit for `gpu.candidates`; None if its normalisation is of another kind.

        Args:
            size: height and width of the input, pixels.
        """
        norm = self.norm
        if not known_to_gpu(norm):
            return None
        geometry = self.geometry
        return EdgeUnits(*self.weights(size), norm, geometry.stride, geometry.dilation)

    def on_gpu(self, x: Tensor, scale: Tensor | None, onto: Tensor | None) -> Tensor:
        """Return the same by the GPU kernels, of an input that is neither rectified nor stacked.

        Args:
            x: [B, C, H, W] for all edges, or [B, edges * C, H, W].
            scale: see `normalise`.
            onto: what the output is added to, [B, edges * C, H', W']; None: nothing.
        """
        stride, dilation = self.geometry.stride, self.geometry.dilation
        kernels, matrices = self.weights(x.shape[2:])
        y = gpu.depthwise(x, kernels, stride=stride, dilation=dilation, rectify=True)
        y = gpu.pointwise(y, matrices, self.edges)
        if known_to_gpu(self.norm):
            return gpu.normalise(self.norm, y, scale, onto=onto)
        y = normalise(self.norm, y, scale)
        return y if onto is None else onto + y


class Convolutions(nn.Module):
    """`sep_conv` (two units, the stride in the first) or `dil_conv` (one unit, dilated).

    Args:
        name: `sep_conv_3x3`, `sep_conv_5x5`, `dil_conv_3x3` or `dil_conv_5x5`.
        edges: number of stacked edges.
        channels: channels of one edge.
        stride: stride of the edges.
        spectral: see `Unit`.
    """

    def __init__(
        self, name: str, edges: int, channels: int, stride: int, *, spectral: bool = False
    ) -> None:
        super().__init__()
        kernel, separable = int(name[-1]), name.startswith("sep")
        first = 1 if separable else 2
        units = [Unit(edges, channels, kernel, stride, dilation=first, spectral=spectral)]
        if separable:
            units.append(Unit(edges, channels, kernel, 1, dilation=1, spectral=spectral))
        self.units = nn.ModuleList(units)

    def chain(self) -> list[Unit]:
        """Return the units, in order."""
        return [unit for unit in self.units if isinstance(unit, Unit)]

    def sizes(self, size: Sequence[int]) -> Iterator[tuple[Unit, Sequence[int]]]:
        """Yield each unit with height and width of its input, where the first has this input."""
        for unit in self.chain():
            yield unit, size
            size = [-(-length // unit.geometry.stride) for length in size]

    def weights(self, size: Sequence[int]) -> list[Tensor]:
        """Return depthwise and pointwise weights of each unit; see `Unit.weights`."""
        return [weight for unit, own in self.sizes(size) for weight in unit.weights(own)]

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """Map a rectified, stacked input to the scaled outputs of the edges."""
        first, *others = self.units
        # The mixing weight belongs to the last normalisation alone.
        y: Tensor = first(x, None if others else scale)
        for unit in others:
            # In place: the backward pass of a normalisation needs its input, not its output.
            y = unit(F.relu(y, inplace=True), scale)
        return y

    def on_gpu(self, state: Tensor, scale: Tensor, onto: Tensor | None) -> Tensor:
        """Map a state [B, C, H, W], not rectified, to the scaled outputs of the edges.

        Args:
            state: state that the edges leave.
            scale: see `normalise`.
            onto: what the output is added to, [B, edges * C, H', W']; None: nothing.
        """
        *others, last = self.chain()
        for unit in others:
            state = unit.on_gpu(state, None, None)
        return last.on_gpu(state, scale, onto)


class Reduce(nn.Module):
    """`skip_connect` at stride 2: two 1x1 convolutions, of which the second starts a pixel later.

    Their outputs are concatenated and normalised.

    Args:
        edges: number of stacked edges.
        channels: channels of one edge.
        spectral: True to divide each convolution by its largest singular value.
    """

    def __init__(self, edges: int, channels: int, *, spectral: bool = False) -> None:
        super().__init__()
        self.edges, self.spectral = edges, spectral
        self.conv_1 = filter_weights(edges * (channels // 2), channels, 1, 1)
        self.conv_2 = filter_weights(edges * (channels // 2), channels, 1, 1)
        self.norm = nn.BatchNorm2d(edges * channels, affine=False)

    def weights(self) -> list[Tensor]:
        """Return the weights of both convolutions that every executor computes with."""
        weights: list[Tensor] = [self.conv_1, self.conv_2]
        if self.spectral:
            weights = [normalised_matrices(weight, self.edges) for weight in weights]
        return weights

    def join(self, first: Tensor, second: Tensor) -> Tensor:
        """Join the halves of each edge, [B, edges * C / 2, H, W], to [B, edges * C, H, W]."""
        shape = (len(first), self.edges, -1, *first.shape[2:])
        halves = torch.cat([first.view(shape), second.view(shape)], dim=2)  # [B, edges, C, H, W]
        stacked = halves.view(len(first), -1, *first.shape[2:])
        return stacked.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """Map a rectified state [B, C, H, W], not stacked, to [B, edges * C, H / 2, W / 2]."""
        # Pixels are selected before the convolution; see `FactorizedReduce`.
        weight, shifted = self.weights()
        first = F.conv2d(x[:, :, ::2, ::2], weight)
        second = F.conv2d(x[:, :, 1::2, 1::2], shifted)
        return normalise(self.norm, self.join(first.contiguous(), second.contiguous()), scale)


class Pool(nn.Module):
    """A 3x3 pool and its normalisation; all edges share it, as it has no weights.

    Args:
        name: `max_pool_3x3` or `avg_pool_3x3`.
        channels: channels of the state.
        stride: stride of the edges.
    """

    def __init__(self, name: str, channels: int, stride: int) -> None:
        super().__init__()
        self.kind, self.stride = name[:3], stride
        self.norm = nn.BatchNorm2d(channels, affine=False)

    def forward(self, state: Tensor) -> Tensor:
        """Map a state [B, C, H, W] to [B, C, H', W']."""
        pool = maximum_pool if self.kind == "max" else mean_pool
        return normalise(self.norm, pool(state, self.stride), None)

    def norm_on_gpu(self) -> nn.BatchNorm2d | None:
        """Return the normalisation for `gpu.candidates`; None if it is of another kind."""
        return self.norm if known_to_gpu(self.norm) else None


class EdgeNoise(nn.Module):
    """`noise`: standard normal numbers in place of the state, drawn for each edge.

    Args:
        edges: number of stacked edges.
        stride: stride of the edges.
    """

    def __init__(self, edges: int, stride: int) -> None:
        super().__init__()
        self.edges, self.stride = edges, stride

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """Map a state [B, C, H, W], of which only the shape counts, to [B, edges * C, H', W']."""
        batch, channels, height, width = x[:, :, :: self.stride, :: self.stride].shape
        shape = (batch, self.edges * channels, height, width)
        layout = torch.channels_last
        noise = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout).normal_()
        return noise * scale.to(x.dtype).view(1, -1, 1, 1)


def add_on_gpu(
    candidates: Mapping[str, nn.Module], state: Tensor, scales: Mapping[str, Tensor]
) -> tuple[Tensor, set[str]]:
    """Return the sum of the scaled outputs of operations with the same edges, by the GPU kernels.

    Returns the sum, [B, edges * C, H', W'], and the names of the operations that it has: all
    convolutions, and, if no normalisation was replaced, pools and skip connections, too.

    Args:
        candidates: operations by name, among them at least one of `Convolutions`.
        state: state that the edges leave, not rectified, [B, C, H, W].
        scales: factor of each channel of each operation, [edges * C].
    """
    convolutions = {n: m for n, m in candidates.items() if isinstance(m, Convolutions)}
    names = sorted(convolutions, key=lambda name: -len(convolutions[name].units))
    size = state.shape[2:]
    units = [[unit.tensors(own) for unit, own in convolutions[name].sizes(size)] for name in names]
    separable = [(one[0], one[1]) for one in units if len(one) == 2 and one[0] and one[1]]
    dilated = [one[0] for one in units if len(one) == 1 and one[0]]
    if len(separable) + len(dilated) < len(names):
        total: Tensor | None = None
        for name in names:
            total = convolutions[name].on_gpu(state, scales[name], total)
        assert total is not None
        return total, set(names)
    norms: dict[str, nn.BatchNorm2d] = {}
    for kind in ("max", "avg"):
        for name, module in candidates.items():
            norm = module.norm_on_gpu() if isinstance(module, Pool) else None
            if norm and isinstance(module, Pool) and module.kind == kind:
                norms[kind] = norm
                names.append(name)
    # The kernel adds the state once for each edge; a second skip connection is a term of its own.
    skips = [name for name, module in candidates.items() if isinstance(module, nn.Identity)][:1]
    names += skips
    shared = Shared(norms.get("max"), norms.get("avg"), bool(skips))
    chosen = [scales[name] for name in names]
    return gpu.candidates(state, separable, dilated, shared, chosen), set(names)
