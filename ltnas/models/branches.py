"""What all models share: a trunk, one tail or two that end in features, a classifier of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ltnas.models.operations import DropPath


class BranchedModel(nn.Module):
    """A classifier of images with one branch, or the two of BBN (Zhou et al. 2020, section 4.1).

    A model with two branches shares its trunk. At `branch_depth` 1 the last cell, or block, is
    there twice; at 0 the branches differ in their parts of the classifier alone. Features of both
    are joined, so that outside of training the model is one like any other.
    """

    feature_size: int
    classifier: nn.Module
    branch_depth: int | None
    """None: one branch."""

    @property
    def branches(self) -> int:
        """1 or 2."""
        return 1 if self.branch_depth is None else 2

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images [B, 3, H, W] to what reaches the tails."""
        raise NotImplementedError

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """What the trunk gives to a branch's last state, [B, C, H, W]."""
        raise NotImplementedError

    def named_architecture(self) -> dict[str, Tensor]:
        """Return the architecture parameters by their names in this module; none by default."""
        return {}

    def compilable(self) -> Iterable[nn.Module]:
        """The modules that are compiled, each by itself."""
        raise NotImplementedError

    def set_progress(self, progress: float) -> None:
        """Update what depends on the share of the run, in [0, 1), that is over."""

    def set_drop_path(self, probability: float) -> None:
        """Drop the output of each operation but identity, for an image at a time, in training."""
        for module in self.modules():
            if isinstance(module, DropPath):
                module.probability.fill_(probability)

    def branch_features(self, images: Tensor, branch: int) -> Tensor:
        """Images [B, 3, H, W] to one branch's pooled features, [B, feature_size / branches].

        Args:
            images: of the branch's stream.
            branch: 0, the conventional one, or 1, the re-balancing one.
        """
        return self.tail(self.trunk(images), branch).mean((2, 3))

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to pooled features of all branches, [B, feature_size]."""
        trunk = self.trunk(images)
        first = self.tail(trunk, 0).mean((2, 3))
        if self.branch_depth is None:
            return first
        second = self.tail(trunk, 1).mean((2, 3)) if self.branch_depth else first
        return torch.cat([first, second], 1)

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits [B, classes] and those of auxiliary classifiers, where there are some."""
        return (self(images),)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to logits [B, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
