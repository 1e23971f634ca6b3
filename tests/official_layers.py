"""Layers of the published DARTS networks, with the names that their code gives to tensors.

They are written from the papers and from the names in published checkpoints.
"""

import torch
from torch import nn


class Op(nn.Module):
    """Layers under the name `op`."""

    def __init__(self, *layers):
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x):
        return self.op(x)


def to_width(inputs, outputs, affine):
    return Op(
        nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs, affine=affine)
    )


class Reduce(nn.Module):
    def __init__(self, inputs, outputs, affine):
        super().__init__()
        self.conv_1 = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x):
        x = x.relu()
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))


class Nothing(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, :: self.stride, :: self.stride] * 0


def depthwise(channels, kernel, stride, dilation, affine):
    padding = dilation * (kernel - 1) // 2
    deep = nn.Conv2d(
        channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
    )
    point = nn.Conv2d(channels, channels, 1, bias=False)
    return nn.ReLU(), deep, point, nn.BatchNorm2d(channels, affine=affine)


def sep_conv(c, k, s, a):
    return Op(*depthwise(c, k, s, 1, a), *depthwise(c, k, 1, 1, a))


OPS = {
    "none": lambda c, s, a: Nothing(s),
    "max_pool_3x3": lambda c, s, a: nn.MaxPool2d(3, s, 1),
    "avg_pool_3x3": lambda c, s, a: nn.AvgPool2d(3, s, 1, count_include_pad=False),
    "skip_connect": lambda c, s, a: nn.Identity() if s == 1 else Reduce(c, c, a),
    "sep_conv_3x3": lambda c, s, a: sep_conv(c, 3, s, a),
    "sep_conv_5x5": lambda c, s, a: sep_conv(c, 5, s, a),
    "dil_conv_3x3": lambda c, s, a: Op(*depthwise(c, 3, s, 2, a)),
    "dil_conv_5x5": lambda c, s, a: Op(*depthwise(c, 5, s, 2, a)),
}


class Cell(nn.Module):
    def __init__(self, c_pp, c_p, c, reduction, after_reduction, affine):
        super().__init__()
        self.reduction = reduction
        self.preprocess0 = (Reduce if after_reduction else to_width)(c_pp, c, affine)
        self.preprocess1 = to_width(c_p, c, affine)
        self._ops = nn.ModuleList()

    def stride(self, source):
        return 2 if self.reduction and source < 2 else 1


class FinalCell(Cell):
    """Cell of a discrete network, of pairs of an operation and its source, two for each node."""

    def __init__(self, c_pp, c_p, c, reduction, after_reduction, pairs, concat):
        super().__init__(c_pp, c_p, c, reduction, after_reduction, affine=True)
        self.pairs, self.concat, self.width = pairs, concat, c * len(concat)
        for name, source in pairs:
            self._ops.append(OPS[name](c, self.stride(source), True))

    def forward(self, s0, s1):
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for i in range(0, len(self.pairs), 2):
            (_, a), (_, b) = self.pairs[i : i + 2]
            states.append(self._ops[i](states[a]) + self._ops[i + 1](states[b]))
        return torch.cat([states[i] for i in self.concat], 1)


def is_reduction(index, layers):
    return index == layers // 3 or index == 2 * layers // 3


def stacked(layers, c, c_pp, c_p, after_reduction, build):
    """Return `layers` cells, each made by `build(c_pp, c_p, c, reduction, after_reduction)`."""
    cells = nn.ModuleList()
    for index in range(layers):
        reduction = is_reduction(index, layers)
        c = 2 * c if reduction else c
        cells.append(build(c_pp, c_p, c, reduction, after_reduction))
        c_pp, c_p, after_reduction = c_p, cells[-1].width, reduction
    return cells


def conv_bn(inputs, outputs, stride):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
