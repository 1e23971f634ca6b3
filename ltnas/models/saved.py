"""Write and load trained networks: weights as safetensors, everything else as JSON, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ltnas.data.augment import Normalisation
from ltnas.data.decode import decode_image
from ltnas.data.rgb import GreyRange
from ltnas.errors import UserError
from ltnas.models.branches import BranchedModel
from ltnas.models.build import described_network
from ltnas.runs.atomic import atomically
from ltnas.runs.folder import RunFolder

if TYPE_CHECKING:
    from PIL import Image

WEIGHTS, DESCRIPTION = "network.safetensors", "network.json"
HEADER = "ltnas"
"""Entry in the header of a file of safetensors that holds the description of the network."""


def save_network(folder: RunFolder, network: BranchedModel, description: dict[str, Any]) -> None:
    """Write the weights and the description of a network.

    Args:
        folder: folder of the run.
        network: trained network.
        description: result of `describe_network`; `preprocessing` with `mean`, `std`, `image_size`
            and `classes`; `prior`, the class frequencies that the probabilities assume; and
            `temperature`, what logits are divided by for probabilities.
    """
    # safetensors stores dense tensors only.
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with atomically(folder.path / WEIGHTS) as partial:
        partial.write_bytes(save(tensors))  # raises OSError, which `save_file` does not
    folder.write_json(DESCRIPTION, description)


def network_bytes(run: str | Path) -> bytes:
    """Return a trained network as one file of safetensors, with its description in the header.

    Args:
        run: run folder of `ltnas.retrain`, or such a file.

    Raises:
        UserError: there is no trained network.
    """
    description, tensors = _read(Path(run).expanduser())
    return save(tensors, metadata={HEADER: json.dumps(description)})


def load_network(run: str | Path) -> BranchedModel:
    """Load a trained network, in evaluation mode on the CPU.

    The network's attribute `preprocessing` has the keys `mean` and `std` (of each channel, for
    pixels in [0, 1]), `image_size` (side, pixels) and `classes` (names in the order of the logits);
    if it was trained on images of more than 8 bits, also `grey_range` (their smallest and largest
    value).
    Its attribute `prior` has the class frequencies that its probabilities assume, [C], or None for
    networks of versions that did not keep them. Its attribute `temperature` is what logits are
    divided by for probabilities, 1 if it was not fitted.

    `prepare` makes the network's input of an image.

    Args:
        run: run folder of `ltnas.retrain`, or a file of `ltnas.export format=safetensors`.

    Raises:
        UserError: there is no trained network, or the network is damaged.
    """
    path = Path(run).expanduser()
    try:
        description, tensors = _read(path)
        classes = len(description["preprocessing"]["classes"])
        network = described_network(description, classes, str(path / DESCRIPTION))
        network.load_state_dict(tensors)
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        # PyTorch lists every tensor that does not fit; the first line is enough for a message.
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} holds a damaged network ({reason}): train it again") from error
    network.preprocessing = description["preprocessing"]
    network.prior = description.get("prior")
    network.temperature = description.get("temperature", 1.0)
    return network.eval()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return description and weights of a network in a run folder or in one file.

    Raises:
        UserError: there is no trained network.
        ValueError, KeyError, TypeError, SafetensorError: the network is damaged.
    """
    try:
        if path.is_file():
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
            return json.loads(header[HEADER]), load_file(path)
        text = (path / DESCRIPTION).read_text(encoding="utf-8")
        return json.loads(text), load_file(path / WEIGHTS)
    except OSError as error:
        raise UserError(
            f"{path} has no trained network ({error.strerror or error}): give a run folder that "
            "ltnas.retrain printed"
        ) from error


def prepare(network: BranchedModel, image: Image.Image | str | Path) -> Tensor:
    """Return the input of a loaded network for one image, float [1, 3, size, size].

    The image is scaled and cropped as images from folders are for the training, and normalised as
    they were.

    Args:
        network: result of `load_network`.
        image: image of any mode and size, or the path of one.

    Raises:
        UserError: the image cannot be read, or has more than 8 bits per channel and those of the
            training had not.
    """
    side, values = input_side(network), grey_range(network)
    if isinstance(image, str | Path):
        path = Path(image).expanduser()
        pixels = decode_image(str(path), path, side, values)
    else:
        pixels = decode_image("given", image, side, values)
    device = next(network.parameters()).device
    return normalisation(network).standardise_bytes(pixels[None]).to(device)


def input_side(network: BranchedModel) -> int:
    """Return the side in pixels that images are decoded to for a loaded network.

    It is larger than the side of what the network sees if the training stored larger images.
    """
    preprocessing = network.preprocessing
    return int(preprocessing.get("stored_size") or preprocessing["image_size"])


def grey_range(network: BranchedModel) -> GreyRange | None:
    """Return the range that images of more than 8 bits are scaled by; None to refuse them."""
    values = network.preprocessing.get("grey_range")
    return None if values is None else (values[0], values[1])


def normalisation(network: BranchedModel) -> Normalisation:
    """Return the preparation of decoded images for a loaded network."""
    preprocessing = network.preprocessing
    crop = preprocessing["image_size"] if preprocessing.get("stored_size") else None
    return Normalisation(tuple(preprocessing["mean"]), tuple(preprocessing["std"]), crop)
