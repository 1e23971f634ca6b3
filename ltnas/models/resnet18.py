"""ResNet-18 for small images (He et al. 2016, table 1)."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torchvision.models import resnet18

from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import MakeClassifier


class ResNet18(BranchedModel):
    """The network of torchvision with a stem that keeps the resolution of small images.

    A 3x3 convolution of stride 1 replaces the 7x7 convolution and the pooling, as is usual for
    images of 32 pixels; four stages of two blocks have 64 to 512 channels.

    Args:
        classes: number of classes.
        classifier: makes a classifier from the size of features and the number of classes.
    """

    branch_depth = None
    feature_size = 512

    def __init__(self, classes: int, classifier: MakeClassifier = nn.Linear) -> None:
        super().__init__()
        whole = resnet18(weights=None)
        stem = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        self.stem = nn.Sequential(stem, whole.bn1, whole.relu)
        stages = (whole.layer1, whole.layer2, whole.layer3, whole.layer4)
        self.blocks = nn.ModuleList(block for stage in stages for block in stage)
        self.classifier = classifier(self.feature_size, classes)

    def compilable(self) -> Iterable[nn.Module]:
        """Return the blocks, each of which is compiled by itself."""
        return self.blocks

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the stem and all blocks except the last, [B, 512, H / 8, W / 8]."""
        state = self.stem(images)
        for block in list(self.blocks)[:-1]:
            state = block(state)
        return (state,)

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """Compute the last block, [B, 512, H / 8, W / 8]."""
        state: Tensor = self.blocks[-1](trunk[0])
        return state
