"""Write and load trained networks: weights as safetensors, everything else as JSON, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ltnas.data.augment import Normalisation
from ltnas.data.decode import decode_image
from ltnas.errors import UserError
from ltnas.models.branches import BranchedModel
from ltnas.models.build import described_network
from ltnas.runs.atomic import atomically
from ltnas.runs.folder import RunFolder

if TYPE_CHECKING:
    from PIL import Image

WEIGHTS, DESCRIPTION = "network.safetensors", "network.json"


def save_network(folder: RunFolder, network: BranchedModel, description: dict[str, Any]) -> None:
    """Write the weights and the description of a network.

    Args:
        folder: folder of the run.
        network: trained network.
        description: result of `describe_network`, and `preprocessing` with `mean`, `std`,
            `image_size` and `classes`.
    """
    # safetensors stores dense tensors only.
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with atomically(folder.path / WEIGHTS) as partial:
        partial.write_bytes(save(tensors))  # raises OSError, which `save_file` does not
    folder.write_json(DESCRIPTION, description)


def load_network(run_folder: str | Path) -> BranchedModel:
    """Load the trained network of a run folder of `ltnas.retrain`, in evaluation mode on the CPU.

    The network's attribute `preprocessing` has the keys `mean` and `std` (of each channel, for
    pixels in [0, 1]), `image_size` (side, pixels) and `classes` (names in the order of the logits).

    `prepare` makes the network's input of an image.

    Raises:
        UserError: the folder has no trained network, or the network is damaged.
    """
    folder = Path(run_folder).expanduser()
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
        classes = len(description["preprocessing"]["classes"])
        network = described_network(description, classes, str(folder / DESCRIPTION))
        network.load_state_dict(tensors)
    except OSError as error:
        raise UserError(
            f"{folder} has no trained network ({error.strerror or error}): give a run folder that "
            "ltnas.retrain printed"
        ) from error
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        # PyTorch lists every tensor that does not fit; the first line is enough for a message.
        reason = str(error).splitlines()[0]
        raise UserError(f"{folder} holds a damaged network ({reason}): train it again") from error
    network.preprocessing = description["preprocessing"]
    return network.eval()


def prepare(network: BranchedModel, image: Image.Image | str | Path) -> Tensor:
    """Return the input of a loaded network for one image, float [1, 3, size, size].

    The image is scaled and cropped as images from folders are for the training, and normalised as
    they were.

    Args:
        network: result of `load_network`.
        image: image of any mode and size, or the path of one.

    Raises:
        UserError: the image cannot be read, or has more than 8 bits per channel.
    """
    preprocessing: Any = network.preprocessing
    side, stored = preprocessing["image_size"], preprocessing.get("stored_size")
    if isinstance(image, str | Path):
        path = Path(image).expanduser()
        pixels = decode_image(str(path), path, stored or side)
    else:
        pixels = decode_image("given", image, stored or side)
    crop = side if stored else None
    normalise = Normalisation(tuple(preprocessing["mean"]), tuple(preprocessing["std"]), crop)
    return normalise.standardise_bytes(pixels[None]).to(next(network.parameters()).device)
