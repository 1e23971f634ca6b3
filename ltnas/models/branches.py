"""Base class of all models: a trunk, one or two branches, and a classifier of their features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ltnas.models.operations import DropPath

Trunk = tuple[Any, ...]
"""State that branches have in common: the tensors that `BranchedModel.tail` needs."""


class BranchedModel(nn.Module):
    """A classifier of images with one branch, or the two of BBN (Zhou et al. 2020, section 4.1).

    Two branches share the trunk. At `branch_depth` 1 each branch has a last cell (or block) of its
    own; at 0 the branches only differ in their part of the classifier's weights. The features of
    both branches are concatenated, so outside of training the model is used like one with a single
    branch.
    """

    feature_size: int
    classifier: nn.Module
    branch_depth: int | None
    """Cells (or blocks) of each branch that are not shared, 0 or 1; None: there is one branch."""
    preprocessing: dict[str, Any]
    """What a loaded network says of its images; see `ltnas.models.saved.load_network`."""
    prior: list[float] | None
    """Class frequencies that the probabilities of a loaded network assume; None: not known."""
    temperature: float = 1.0
    """Number that the logits of a loaded network are divided by for probabilities."""

    @property
    def branches(self) -> int:
        """Number of branches, 1 or 2."""
        return 1 if self.branch_depth is None else 2

    def trunk(self, images: Tensor) -> Trunk:
        """Map images [B, 3, H, W] to the tensors that `tail` needs."""
        raise NotImplementedError

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """Map the result of `trunk` to the last state of a branch, [B, C, H', W']."""
        raise NotImplementedError

    def named_architecture(self) -> dict[str, Tensor]:
        """Return the architecture parameters by their names in this module; none by default."""
        return {}

    def compilable(self) -> Iterable[nn.Module]:
        """Return the modules that are compiled, each by itself."""
        raise NotImplementedError

    def set_drop_path(self, probability: float) -> None:
        """Set the probability with which `DropPath` drops an operation's output for an image."""
        for module in self.modules():
            if isinstance(module, DropPath):
                # A number instead of this tensor would make torch.compile compile the cells again.
                module.probability.fill_(probability)

    def branch_features(self, images: Tensor, branch: int) -> Tensor:
        """Return the pooled features of one branch, [B, feature_size / branches].

        Args:
            images: images of the branch's stream, [B, 3, H, W].
            branch: 0 for the conventional branch, 1 for the re-balancing branch.
        """
        return self.tail(self.trunk(images), branch).mean((2, 3))

    def features(self, images: Tensor) -> Tensor:
        """Return the pooled features of all branches, [B, feature_size], of [B, 3, H, W] images."""
        trunk = self.trunk(images)
        # [B, C, H', W'] to [B, C].
        first = self.tail(trunk, 0).mean((2, 3))
        if self.branch_depth is None:
            return first
        # At depth 0 the branches have the same features, and only their classifiers differ.
        second = self.tail(trunk, 1).mean((2, 3)) if self.branch_depth else first
        return torch.cat([first, second], 1)

    def last_states(self, images: Tensor) -> list[Tensor]:
        """Return the last state at each resolution, the finest first; searches have these alone.

        Args:
            images: [B, 3, H, W].
        """
        raise NotImplementedError

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits [B, classes] of the classifier and of any auxiliary classifiers."""
        return (self(images),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [B, classes] of images [B, 3, H, W]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
