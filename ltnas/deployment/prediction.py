"""Predictions of a trained network for image files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from ltnas.data.decode import decode_image
from ltnas.data.rgb import GreyRange
from ltnas.deployment.prior_correction import probabilities
from ltnas.errors import UserError
from ltnas.models.branches import BranchedModel
from ltnas.models.saved import grey_range, input_side, normalisation


class Prediction(NamedTuple):
    """The most probable classes of one image file.

    Args:
        path: path of the file.
        classes: names of the classes, the most probable first; empty if there is an error.
        probabilities: probability of each of these classes, in [0, 1].
        error: one line that says why the file cannot be read; empty if it can.
    """

    path: str
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    error: str = ""


def predictions(
    network: BranchedModel,
    paths: Sequence[str],
    *,
    shift: Tensor,
    top: int,
    batch_size: int,
) -> Iterator[Prediction]:
    """Yield the prediction of each file in the order of the paths; broken files get an error.

    Args:
        network: loaded network, on the device that computes.
        paths: image files.
        shift: result of `prior_shift`, [C].
        top: number of classes of a prediction; all of them if there are fewer.
        batch_size: number of images that are decoded and computed together.
    """
    for start in range(0, len(paths), batch_size):
        batch = paths[start : start + batch_size]
        decoded = _decoded(batch, input_side(network), grey_range(network))
        good = [pixels for pixels in decoded if isinstance(pixels, Tensor)]
        chosen = iter(_most_probable(network, torch.stack(good), shift, top) if good else [])
        for path, pixels in zip(batch, decoded, strict=True):
            if isinstance(pixels, Tensor):
                yield Prediction(path, *next(chosen))
            else:
                yield Prediction(path, error=pixels)


def _decoded(paths: Sequence[str], side: int, values: GreyRange | None) -> list[Tensor | str]:
    """Return the pixels of each file, uint8 [3, side, side], or why it cannot be read."""

    def pixels_or_reason(path: str) -> Tensor | str:
        try:
            return decode_image(path, path, side, values)
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:  # PIL releases the interpreter's lock while decoding
        return list(pool.map(pixels_or_reason, paths))


@torch.inference_mode()
def _most_probable(
    network: BranchedModel, pixels: Tensor, shift: Tensor, top: int
) -> list[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Return names and probabilities of the most probable classes of each image.

    Args:
        network: see `predictions`.
        pixels: uint8 [B, 3, side, side].
        shift: see `predictions`.
        top: see `predictions`.
    """
    names = network.preprocessing["classes"]
    images = pixels.to(next(network.parameters()).device)
    logits = network(normalisation(network).standardise_bytes(images))
    shares = probabilities(logits.cpu(), shift, network.temperature)
    best = shares.topk(min(top, len(names)))
    return [
        (tuple(names[label] for label in labels), tuple(values))
        for labels, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
