"""Reconstruction of masked patches, without labels (MAE-NAS, Hu et al. 2023, arXiv 2311.12086).

From the paper: the supernet is the encoder; a reconstruction loss takes the place of the labels'
loss in both steps of DARTS; skip connections take over where less than half of an image is masked;
a light hierarchical decoder, which sees features of several scales, prevents a collapse. The rest
is our reading: half of the patches are masked, which have 4 pixels on each side; masked pixels
become zeros in the standardised image, which the supernet sees as a whole, with dense convolutions;
the decoder sees the last state at each resolution; layers and width of the decoder; errors are not
normalised by patch; the decoder of a single scale, to which the hierarchical one can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.data.stream import Batch
from ltnas.objectives import Losses, Model, Objective
from ltnas.space.layout import StateShape


def masked_error(predicted: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared error over the masked pixels of all channels, a scalar.

    Unlike in He et al. (2022), patches are not normalised.

    Args:
        predicted: reconstructed images, [B, C, H, W].
        images: images, [B, C, H, W].
        mask: 1 for masked pixels and 0 for visible ones, [B, 1, H, W].
    """
    return ((predicted - images) ** 2 * mask).sum() / (mask.sum() * images.shape[1])


class Decoder(nn.Module):
    """Decoder from the coarsest state to the size of the images.

    At each resolution the result of the coarser one, enlarged to twice its size by nearest
    neighbours, and the state, mapped to the same width by a 1x1 convolution, are added; a 3x3
    convolution, batch normalisation and ReLU follow. Resolutions without a state have the same
    layers, so that decoders of one state and of many differ only in what they see. A last 1x1
    convolution makes the three channels.

    Args:
        states: shapes of the states, the finest first.
        channels: number of channels of all convolutions but the last.
    """

    def __init__(self, states: Sequence[StateShape], channels: int) -> None:
        super().__init__()
        coarsest_first = sorted(states, key=lambda state: state.halvings, reverse=True)
        self.halvings = [state.halvings for state in coarsest_first]
        self.laterals = nn.ModuleList(
            nn.Conv2d(state.channels, channels, 1) for state in coarsest_first
        )
        self.levels = nn.ModuleList(_level(channels) for _ in range(self.halvings[0] + 1))
        self.output = nn.Conv2d(channels, 3, 1)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Return images [B, 3, H, W].

        Args:
            states: last state at each resolution, the finest first. Of more than the decoder was
                built for, it sees the coarsest.
        """
        tapped = zip(self.halvings, self.laterals, reversed(states), strict=False)
        # Mapped states by the number of halvings, each [B, channels, H / 2^n, W / 2^n].
        mapped = {halvings: lateral(state) for halvings, lateral, state in tapped}
        coarsest, *finer = self.levels
        x = coarsest(mapped[self.halvings[0]])
        for halvings, level in zip(reversed(range(len(finer))), finer, strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = level(x + mapped[halvings] if halvings in mapped else x)
        reconstructed: Tensor = self.output(x)
        return reconstructed


def _level(channels: int) -> nn.Sequential:
    """Return the layers of the decoder at a resolution."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class MaskedReconstruction(Objective):
    """Error of the masked pixels that a decoder reconstructs, with the classifier as linear probe.

    A batch has two views: the images and their masks. Labels reach the classifier alone. It learns
    on detached features of the masked images, which cost no further pass; in tests it sees whole
    images, so its accuracy is only a guide.

    Args:
        decoder: maps the model's last states to images.
    """

    probes = True

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Return the losses of the objective and of the probe for images and their masks."""
        images, mask = batch.views
        states = model.last_states(images * (1 - mask))
        predicted: Tensor = self.decoder(states)
        # Half precision is too inaccurate for a sum over all pixels.
        predicted = predicted.to(torch.promote_types(predicted.dtype, torch.float32))
        with torch.autocast(images.device.type, enabled=False):
            loss = masked_error(predicted, images, mask)
        logits = model.classifier(states[-1].detach().mean((2, 3)))
        return Losses(loss, F.cross_entropy(logits, batch.labels), logits.detach())
