"""The published search network of MSR-DARTS (Machida et al. 2020), with its code's names.

Each convolution of a candidate operation is divided by its largest singular value: here by that of
the matrix written out, with circular padding, or by an estimate as in the published code.
"""

import torch
from official_supernets import Mixed, SearchCell, SearchNetwork
from torch import nn
from torch.nn import functional

NAMES = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")


def taps(size, kernel, stride, dilation):
    """1 where a tap of an output pixel reads a pixel of a row, [outputs, taps, size]."""
    outputs, places = torch.arange(0, size, stride), torch.arange(kernel) - kernel // 2
    read = (outputs[:, None] + dilation * places) % size
    return functional.one_hot(read, size).double()


def circular_norm(conv, weight, size):
    """The largest singular value of a convolution with circular padding, by its matrix."""
    if conv.groups == 1:
        return torch.linalg.matrix_norm(weight.flatten(1), ord=2)
    rows = taps(size, conv.kernel_size[0], conv.stride[0], conv.dilation[0])
    matrices = torch.einsum("chw,ahx,bwy->cabxy", weight.squeeze(1), rows, rows)
    return torch.linalg.matrix_norm(matrices.flatten(3).flatten(1, 2), ord=2).max()


def estimated_norm(conv, weight, shape):
    """The estimate of the published code: five power iterations from random vectors."""
    maps = {
        "stride": conv.stride,
        "padding": conv.padding,
        "dilation": conv.dilation,
        "groups": conv.groups,
    }
    with torch.no_grad():
        v = torch.randn(shape).double()
        for _ in range(5):
            u = functional.conv2d(v, weight, **maps)
            u = u / u.norm()
            v = functional.conv_transpose2d(u, weight, output_padding=conv.stride[0] - 1, **maps)
            v = v / v.norm()
        u = functional.conv2d(v, weight, **maps)
        u = u / u.norm()
    return (u * functional.conv2d(v, weight, **maps)).sum() + 1e-5


class Divided(nn.Conv2d):
    """A convolution divided by its largest singular value; `side` is that of its cell's inputs."""

    def __init__(self, like, side):
        settings = (like.kernel_size, like.stride, like.padding, like.dilation, like.groups)
        super().__init__(like.in_channels, like.out_channels, *settings, bias=False)
        self.weight_orig = self.weight
        del self._parameters["weight"]
        self.shape, self.estimated = (1, like.in_channels, side, side), False
        # What the published code keeps of its estimates.
        output = like.out_channels * (-(-side // like.stride[0])) ** 2
        self.register_buffer("weight_u", torch.randn(output))
        self.register_buffer("weight_v", torch.randn(like.in_channels * side * side))
        self.register_buffer("weight_sigma", torch.ones(1))

    def forward(self, x):
        weight = self.weight_orig
        if self.estimated:
            norm = estimated_norm(self, weight, self.shape)
        else:
            norm = circular_norm(self, weight, x.shape[-1])
        return self._conv_forward(x, weight / norm, None)


class RankMixed(Mixed):
    """Edge of MSR-DARTS: operations weighted by the stable ranks of their last convolutions."""

    names = NAMES

    def __init__(self, channels, stride, side):
        super().__init__(channels, stride)
        self.output = side // stride
        for module in self._ops:
            for position, layer in enumerate(module.op):
                if isinstance(layer, nn.Conv2d):
                    # The convolutions after a stride see half of the size.
                    seen = side // stride if position > 1 else side
                    module.op[position] = Divided(layer, seen)

    def rank(self, operation):
        """|A|_F^2 / |A|_2^2 of the last convolution as a map of all pixels, by its transform."""
        weight = operation.op[-2].weight_orig.detach()
        transform = torch.fft.fft2(weight, (self.output, self.output))
        squares = torch.linalg.svdvals(transform.permute(2, 3, 0, 1)) ** 2
        return squares.sum() / squares.max()

    def forward(self, x, weights):
        if weights is None:
            weights = torch.stack([-self.rank(op) for op in self._ops]).softmax(0)
        return super().forward(x, weights)


class MsrDarts(SearchNetwork):
    """Search network of mtaecchhi/msrdarts for images of `side` pixels."""

    operations = 4

    def __init__(self, c, layers, classes, side=8):
        self.side, self.given = side, None
        super().__init__(c, layers, classes)
        self.alphas = [None, None]

    def cell(self, *arguments):
        *_, after_reduction = arguments
        if after_reduction:
            self.side //= 2
        return SearchCell(*arguments, self.mixed)

    def mixed(self, channels, stride):
        return RankMixed(channels, stride, self.side)

    def weights(self):
        return self.given or [[None] * 14] * 2

    @torch.no_grad()
    def part_singular_values(self):
        """Make the largest singular value of each 1x1 convolution at least twice the next.

        The gradient of the largest of two values that are nearly equal is ill-conditioned.
        """
        for module in self.modules():
            if isinstance(module, Divided) and module.groups == 1:
                left, values, right = torch.linalg.svd(module.weight_orig.flatten(1))
                values[0] *= 2
                module.weight_orig.copy_((left * values @ right)[..., None, None])

    def estimate(self):
        """Divide by estimates from now on."""
        for module in self.modules():
            if isinstance(module, Divided):
                module.estimated = True
