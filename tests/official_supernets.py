"""Published search networks: one module for each operation and edge, with their code's names."""

import re

import torch
from official_layers import OPS, Cell, Op, Reduce, conv_bn, stacked
from torch import nn
from torch.nn import functional

# --- edges --------------------------------------------------------------------------------------


class Mixed(nn.Module):
    """Edge of DARTS: all operations, weighted; pools are followed by a normalisation."""

    names = tuple(OPS)

    def __init__(self, channels, stride):
        super().__init__()
        self._ops = nn.ModuleList()
        for name in self.names:
            module = OPS[name](channels, stride, False)
            self._ops.append(self.pool(module, channels) if "pool" in name else module)

    @staticmethod
    def pool(module, channels):
        return nn.Sequential(module, nn.BatchNorm2d(channels, affine=False))

    def forward(self, x, weights):
        return sum(w * op(x) for w, op in zip(weights, self._ops, strict=True))


class PartialMixed(Mixed):
    """Edge of PC-DARTS: operations see the first of k groups of channels."""

    def __init__(self, channels, stride, k):
        super().__init__(channels // k, stride)
        self.k, self.stride = k, stride

    def forward(self, x, weights):
        seen = x.shape[1] // self.k
        computed, passed = super().forward(x[:, :seen], weights), x[:, seen:]
        if self.stride == 2:
            passed = functional.max_pool2d(passed, 2, 2)
        joined = torch.cat([computed, passed], 1)
        # The shuffle of this edge: group by group becomes channel by channel.
        batch, channels, height, width = joined.shape
        groups = joined.reshape(batch, self.k, channels // self.k, height, width)
        return groups.transpose(1, 2).reshape(batch, channels, height, width)


class DirichletMixed(PartialMixed):
    """Edge of DrNAS: seven operations, and pools with their normalisation in `op`."""

    names = tuple(OPS)[1:]

    @staticmethod
    def pool(module, channels):
        return Op(module, nn.BatchNorm2d(channels, affine=False))

    def forward(self, x, weights):
        # With k of 1 nothing is passed on.
        return super().forward(x, weights) if self.k > 1 else Mixed.forward(self, x, weights)


class AuxiliaryMixed(Mixed):
    """Edge of DARTS-: a skip connection beside the operations, outside of their softmax."""

    def __init__(self, channels, stride, strength):
        super().__init__(channels, stride)
        self.strength = strength
        self.auxiliary_op = nn.Identity() if stride == 1 else Reduce(channels, channels, False)

    def forward(self, x, weights):
        return super().forward(x, weights) + self.auxiliary_op(x) * self.strength


# --- networks -----------------------------------------------------------------------------------


class SearchCell(Cell):
    def __init__(self, c_pp, c_p, c, reduction, after_reduction, mixed):
        super().__init__(c_pp, c_p, c, reduction, after_reduction, affine=False)
        for node in range(4):
            for source in range(2 + node):
                self._ops.append(mixed(c, self.stride(source)))
        self.width = 4 * c

    def forward(self, s0, s1, weights, edges=None):
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        offset = 0
        for _ in range(4):
            terms = []
            for row, state in enumerate(states, start=offset):
                term = self._ops[row](state, weights[row])
                terms.append(term if edges is None else edges[row] * term)
            offset += len(states)
            states.append(sum(terms))
        return torch.cat(states[2:], 1)


class SearchNetwork(nn.Module):
    """Search network of DARTS (quark0/darts), and base of the others."""

    operations = 8

    def __init__(self, c, layers, classes):
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(3, 3 * c, 1))

        self.cells = stacked(layers, c, 3 * c, 3 * c, False, self.cell)
        self.classifier = nn.Linear(self.cells[-1].width, classes)
        # plain tensors, which the original leaves out of its state dict
        self.alphas = self.parameter(14, self.operations)

    @staticmethod
    def parameter(*shape):
        """A tensor of normal cells and one of reduction cells."""
        with torch.device("cpu"):
            return [torch.randn(shape).double().requires_grad_() for _ in range(2)]

    def cell(self, *arguments):
        return SearchCell(*arguments, self.mixed)

    def mixed(self, channels, stride):
        return Mixed(channels, stride)

    def weights(self):
        return [alphas.softmax(-1) for alphas in self.alphas]

    def edges(self):
        return [None, None]

    def forward(self, x):
        s0 = s1 = self.stem(x)
        weights, edges = self.weights(), self.edges()
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, weights[cell.reduction], edges[cell.reduction])
        return self.classifier(functional.adaptive_avg_pool2d(s1, 1).flatten(1))


class PcDarts(SearchNetwork):
    """Search network of yuhuixu1993/PC-DARTS (Xu et al. 2020) for CIFAR, where k is 4."""

    def __init__(self, c, layers, classes, k=4):
        self.k = k
        super().__init__(c, layers, classes)
        self.betas = self.parameter(14)

    def mixed(self, channels, stride):
        return PartialMixed(channels, stride, self.k)

    def edges(self):
        # A softmax over the edges of each node, which also multiplies what they pass on.
        nodes = [(0, 2), (2, 5), (5, 9), (9, 14)]
        return [torch.cat([betas[i:j].softmax(0) for i, j in nodes]) for betas in self.betas]


class DartsMinus(SearchNetwork):
    """Search network of Meituan-AutoML/DARTS- (Chu et al. 2021), with its auxiliary skip."""

    def __init__(self, c, layers, classes, strength=1.0):
        self.strength = strength
        super().__init__(c, layers, classes)

    def mixed(self, channels, stride):
        return AuxiliaryMixed(channels, stride, self.strength)


class DrNas(SearchNetwork):
    """Search network of xiangning-chen/DrNAS (Chen et al. 2021); its weights are samples."""

    operations = 7

    def __init__(self, c, layers, classes, k=6):
        self.k, self.samples = k, None
        super().__init__(c, layers, classes)

    def mixed(self, channels, stride):
        return DirichletMixed(channels, stride, self.k)

    def weights(self):
        if self.samples is not None:
            return self.samples
        return [dirichlet(alphas) for alphas in self.alphas]


def dirichlet(alphas):
    """Return a sample of Dirichlet(elu(alphas) + 1) for each edge, one after the other."""
    rows = [torch.distributions.Dirichlet(functional.elu(row) + 1).rsample() for row in alphas]
    return torch.stack(rows)


# --- weights ------------------------------------------------------------------------------------


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
        match = re.match(
            r"((?:conv_|en_)?cells\.\d+\._ops\.)(\d+)(\._ops\.\d+\.(?:op\.)?1\..*)", name
        )
        if match:
            cell, row, rest = match.groups()
            buffer.copy_(first.setdefault((cell, SOURCES[int(row)], rest), buffer))
    return network
