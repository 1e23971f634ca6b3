"""Published search networks: one module for each operation and edge, with their code's names."""

import re

import torch
from official_layers import OPS, Cell, conv_bn, stacked
from torch import nn
from torch.nn import functional


class Mixed(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self._ops = nn.ModuleList()
        for name, build in OPS.items():
            module = build(channels, stride, False)
            if "pool" in name:
                module = nn.Sequential(module, nn.BatchNorm2d(channels, affine=False))
            self._ops.append(module)

    def forward(self, x, weights):
        return sum(w * op(x) for w, op in zip(weights, self._ops, strict=True))


class SearchCell(Cell):
    def __init__(self, c_pp, c_p, c, reduction, after_reduction):
        super().__init__(c_pp, c_p, c, reduction, after_reduction, affine=False)
        for node in range(4):
            for source in range(2 + node):
                self._ops.append(Mixed(c, self.stride(source)))
        self.width = 4 * c

    def forward(self, s0, s1, weights):
        states, rows = [self.preprocess0(s0), self.preprocess1(s1)], iter(weights)
        ops = iter(self._ops)
        for _ in range(4):
            states.append(sum(next(ops)(state, next(rows)) for state in list(states)))
        return torch.cat(states[2:], 1)


class SearchNetwork(nn.Module):
    def __init__(self, c, layers, classes):
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(3, 3 * c, 1))
        self.cells = stacked(layers, c, 3 * c, 3 * c, False, SearchCell)
        self.classifier = nn.Linear(self.cells[-1].width, classes)
        # plain tensors, which the original leaves out of its state dict
        self.alphas = [torch.randn(14, 8).double().requires_grad_() for _ in range(2)]

    def forward(self, x):
        s0 = s1 = self.stem(x)
        weights = [alphas.softmax(-1) for alphas in self.alphas]
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, weights[cell.reduction])
        return self.classifier(functional.adaptive_avg_pool2d(s1, 1).flatten(1))


def scattered(network):
    """Return the network in float64, with random values in place of constant initial values."""
    network.double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() == 1:
                parameter.copy_(torch.rand_like(parameter) + (0.5 if "weight" in name else -0.5))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
            else:
                buffer.fill_(7)
    return pooling_alike(network)


SOURCES = [source for node in range(4) for source in range(2 + node)]


def pooling_alike(network):
    """Make the pooling statistics of all edges that start at the same state equal."""
    first = {}
    for name, buffer in network.named_buffers():
        match = re.match(r"(cells\.\d+\._ops\.)(\d+)(\._ops\.[12]\.1\..*)", name)
        if match:
            cell, row, rest = match.groups()
            buffer.copy_(first.setdefault((cell, SOURCES[int(row)], rest), buffer))
    return network
