"""Residual networks for small images (He et al. 2016, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import MakeClassifier


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters (option A of He et al. 2016).

    Where the size changes, the shortcut takes every second pixel and pads the new channels with
    zeros.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: stride of the first convolution, 1 or 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.new_channels = stride, outputs - inputs

    def forward(self, state: Tensor) -> Tensor:
        """Apply the block, [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(state)))))
        shortcut = state[:, :, :: self.stride, :: self.stride]
        # Half of the new channels before the others, half after them.
        before = self.new_channels // 2
        shortcut = F.pad(shortcut, (0, 0, 0, 0, before, self.new_channels - before))
        return F.relu(residual + shortcut)


class ResNet(BranchedModel):
    """Three stages of blocks with `width`, twice and four times as many channels.

    Args:
        depth: number of layers with weights, 6 n + 2 for n blocks in each stage.
        width: channels of the first stage; 16 in the paper.
        classes: number of classes.
        classifier: makes a classifier from the size of features and the number of classes.
        branch_depth: 0 or 1 for two branches (see `BranchedModel`); None: one branch.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        classes: int,
        classifier: MakeClassifier = nn.Linear,
        branch_depth: int | None = None,
    ) -> None:
        super().__init__()
        self.branch_depth = branch_depth
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        blocks, widths = (depth - 2) // 6, (width, 2 * width, 4 * width)
        # Input channels, output channels and stride of each block.
        shapes = [(width, width, 1)] * blocks
        for before, outputs in pairwise(widths):
            shapes += [(before, outputs, 2), *[(outputs, outputs, 1)] * (blocks - 1)]
        self.blocks = nn.ModuleList(Block(*shape) for shape in shapes)
        self.rebalancing_block = Block(*shapes[-1]) if branch_depth == 1 else None
        self.feature_size = 4 * width * self.branches
        # Initialisation of He et al. (2015), as in the paper.
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        self.classifier = classifier(self.feature_size, classes)

    def compilable(self) -> Iterable[nn.Module]:
        """Return the blocks, each of which is compiled by itself."""
        return (module for module in self.modules() if isinstance(module, Block))

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the stem and all blocks except the last, [B, C, H', W']."""
        state = self.stem(images)
        for block in list(self.blocks)[:-1]:
            state = block(state)
        return (state,)

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """Compute the last block of a branch, [B, 4 * width, H / 4, W / 4]."""
        rebalancing = self.rebalancing_block if branch else None
        state: Tensor = (rebalancing or self.blocks[-1])(trunk[0])
        return state
