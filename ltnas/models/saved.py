"""Write and load trained networks: weights as safetensors, everything else as JSON, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ltnas.errors import UserError
from ltnas.models.branches import BranchedModel
from ltnas.models.build import described_network
from ltnas.runs.atomic import atomically
from ltnas.runs.folder import RunFolder

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
