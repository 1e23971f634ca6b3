"""The auxiliary classifier of a discrete network."""

from __future__ import annotations

from torch import Tensor, nn

from ltnas.models.classifiers import MakeClassifier


class AuxiliaryHead(nn.Module):
    """Auxiliary classifier two thirds up the network, used in training only (DARTS, section 3.2).

    Args:
        channels: channels of the state that it sees.
        classes: number of classes.
        imagenet: True for the head of the ImageNet network.
        classifier: makes a classifier from the size of features and the number of classes.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        imagenet: bool,
        classifier: MakeClassifier = nn.Linear,
    ) -> None:
        super().__init__()
        # The published ImageNet head has no second normalisation, and its weights must load.
        last: list[nn.Module] = [] if imagenet else [nn.BatchNorm2d(768)]
        self.features = nn.Sequential(
            nn.ReLU(),
            # 8 or 7 pixels to 2.
            nn.AvgPool2d(5, stride=2 if imagenet else 3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),  # 2 pixels to 1
            *last,
            nn.ReLU(),
        )
        self.classifier = classifier(768, classes)

    def forward(self, state: Tensor) -> Tensor:
        """Return the logits [B, classes] of a state [B, C, H, W]."""
        # At the published image sizes the mean is over one position; larger images have more.
        logits: Tensor = self.classifier(self.features(state).mean((2, 3)))
        return logits
