"""Networks of BNAS-v2 (Ding et al. 2020): broad networks with the names of their code's tensors.

They are written from the paper and from the names in checkpoints, for two convolution blocks.
"""

import torch
from official_layers import FinalCell, Reduce, conv_bn, to_width
from official_supernets import PartialMixed, PcDarts, SearchCell, SearchNetwork
from torch import nn
from torch.nn import functional


class Broad(nn.Module):
    """Two blocks of `deep` cells of stride 1 and a broad cell, then `enhanced` enhancement cells.

    `build` makes a cell of a kind, "normal" or "enhancement", and of its widths.
    """

    def __init__(self, c, deep, enhanced, classes, build):
        super().__init__()
        self.deep = deep
        self.stem = nn.Sequential(*conv_bn(3, 3 * c, 1))
        self.conv_cells, self.en_cells = nn.ModuleList(), nn.ModuleList()
        c_pp = c_p = 3 * c
        width, after, taps, outputs = c, False, [], []
        for _ in range(2):
            for _ in range(deep):
                self.conv_cells.append(build("normal", c_pp, c_p, width, False, after))
                c_pp, c_p, after = c_p, self.conv_cells[-1].width, False
            taps.append((c_p, width))
            width *= 2
            self.conv_cells.append(build("normal", c_pp, c_p, width, True, after))
            c_pp, c_p, after = c_p, self.conv_cells[-1].width, True
            outputs.append(c_p)
        # What the classifier sees of the convolution blocks: a quarter, then half of the side.
        self.restricted_convs_gap = nn.ModuleList(to_width(*tap, True) for tap in taps)
        self.reduction_convs_gap = nn.ModuleList(
            Reduce(n, n, True) for n in (taps[0][1], taps[0][1], taps[1][1])
        )
        # Inputs of the first enhancement cell.
        bridged = (2 * c, outputs[1])
        self.restricted_convs_en = nn.ModuleList(
            to_width(inputs, n, True) for inputs, n in zip(outputs, bridged, strict=True)
        )
        self.reduction_convs_en = nn.ModuleList([Reduce(2 * c, 2 * c, True)])
        self.restricted_ens_gap = nn.ModuleList()
        features = taps[0][1] + taps[1][1]
        before, previous = bridged
        for number in range(enhanced):
            self.en_cells.append(build("enhancement", before, previous, width, False, False))
            before, previous = outputs[1] if number == 0 else previous, self.en_cells[-1].width
            seen = previous if number == enhanced - 1 else width
            self.restricted_ens_gap.append(to_width(previous, seen, True))
            features += seen
        self.classifier = nn.Linear(features, classes)

    def run(self, cell, s0, s1):
        return cell(s0, s1)

    def forward(self, x):
        s0 = s1 = self.stem(x)
        taps, outputs = [], []
        for number, cell in enumerate(self.conv_cells):
            broad = number % (self.deep + 1) == self.deep
            if broad:
                taps.append(self.restricted_convs_gap[len(taps)](s1))
            s0, s1 = s1, self.run(cell, s0, s1)
            if broad:
                outputs.append(self.restricted_convs_en[len(outputs)](s1))
        first, second, third = self.reduction_convs_gap
        seen = [second(first(taps[0])), third(taps[1])]
        last = s1
        s0, s1 = self.reduction_convs_en[0](outputs[0]), outputs[1]
        for number, (cell, restrict) in enumerate(
            zip(self.en_cells, self.restricted_ens_gap, strict=True)
        ):
            s0, s1 = last if number == 0 else s1, self.run(cell, s0, s1)
            seen.append(restrict(s1))
        pooled = functional.adaptive_avg_pool2d(torch.cat(seen, 1), 1)
        return self.classifier(pooled.flatten(1))


class FinalBroad(Broad):
    """Discrete network of a `Genotype`, two edges for each node, in the order of nodes."""

    def __init__(self, genotype, c, deep, enhanced, classes):
        def build(kind, *widths):
            cell = genotype.cell(kind)
            pairs = [(edge.operation, edge.source) for edge in cell.edges]
            return FinalCell(*widths, pairs, cell.concat)

        super().__init__(c, deep, enhanced, classes, build)


class BroadSearch(Broad):
    """Search network with confident learning rates."""

    parameter = staticmethod(SearchNetwork.parameter)

    def __init__(self, c, layers, classes, deep=0, enhanced=1):
        assert layers == 2 * (deep + 1)
        super().__init__(c, deep, enhanced, classes, self.build)
        self.alphas = self.parameter(14, 8)

    def build(self, kind, *widths):
        cell = SearchCell(*widths, self.mixed)
        cell.enhancement = kind == "enhancement"
        return cell

    mixed = SearchNetwork.mixed

    def run(self, cell, s0, s1):
        return cell(s0, s1, self.alphas[cell.enhancement].softmax(-1))


class PartialBroadSearch(BroadSearch):
    """Search network with partial channels and parameters of edges."""

    def __init__(self, c, layers, classes):
        super().__init__(c, layers, classes)
        self.betas = self.parameter(14)

    def mixed(self, channels, stride):
        return PartialMixed(channels, stride, 4)

    edges = PcDarts.edges

    def run(self, cell, s0, s1):
        weights = self.alphas[cell.enhancement].softmax(-1)
        return cell(s0, s1, weights, self.edges()[cell.enhancement])
