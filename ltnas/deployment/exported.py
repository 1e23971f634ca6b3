"""Exported networks: one file each, and what the file computes when it is loaded again."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.transforms.functional import center_crop

from ltnas.models.branches import BranchedModel
from ltnas.models.saved import grey_range, input_side, load_network, network_bytes
from ltnas.runs.packages import extra_package

INPUT, OUTPUT = "pixels", "logits"
"""Names of the input and of the output of an exported network."""


class PixelClassifier(nn.Module):
    """A network with its preprocessing: pixels of any image decoder to logits.

    Pixels are bytes, so that no program can give it floats in [0, 1] by mistake.

    Args:
        network: loaded network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: BranchedModel) -> None:
        super().__init__()
        self.network = network
        # The side of what the network sees, which is smaller where larger images were stored.
        self.side: int = network.preprocessing["image_size"]
        self.temperature = network.temperature
        for name in ("mean", "std"):
            values = torch.tensor(network.preprocessing[name]).view(1, 3, 1, 1)
            self.register_buffer(name, values)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits [B, C] of uint8 pixels [B, 3, side, side]; the central square counts.

        They are divided by the temperature of the network, so that their softmax is calibrated.
        """
        images = center_crop(pixels, [self.side, self.side]).float() / 255
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits / self.temperature


class Format(NamedTuple):
    """A format of exported networks.

    Args:
        encode: makes the content of the file from the run and its loaded network.
        compute: loads such a file, and returns its logits [B, C] for uint8 pixels.
    """

    encode: Callable[[str | Path, BranchedModel], bytes]
    compute: Callable[[Path, list[Tensor]], list[Tensor]]


def description(network: BranchedModel) -> dict[str, str]:
    """Return what a file says of its network: texts, which are JSON where they are no names."""
    classes, side = network.preprocessing["classes"], input_side(network)
    return {
        "classes": json.dumps(classes, ensure_ascii=False),
        "image_size": str(side),
        "class_prior": json.dumps(network.prior),
        "grey_range": json.dumps(grey_range(network)),
        "input": f"{INPUT}: uint8 [batch, 3, {side}, {side}], RGB",
        "output": f"{OUTPUT}: float32 [batch, {len(classes)}]",
    }


def _encode_onnx(run: str | Path, network: BranchedModel) -> bytes:
    """Return a network as ONNX, with its description in `metadata_props`."""
    extra_package("onnx", "export")
    extra_package("onnxscript", "export")
    with _quietly():
        program = torch.onnx.export(
            PixelClassifier(network).eval(),
            (_example(network),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=_any_batch(),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(description(network))
    content: bytes = program.model_proto.SerializeToString()
    return content


def _compute_onnx(path: Path, batches: list[Tensor]) -> list[Tensor]:
    """Return the logits of an ONNX file for some batches, by ONNX Runtime on the CPU."""
    runtime = extra_package("onnxruntime", "export")
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    found = (session.run([OUTPUT], {INPUT: pixels.numpy()})[0] for pixels in batches)
    return [torch.from_numpy(logits) for logits in found]


def _encode_program(run: str | Path, network: BranchedModel) -> bytes:
    """Return a network as a program of `torch.export`, with its description as extra files."""
    file = io.BytesIO()
    with _quietly():
        program = torch.export.export(
            PixelClassifier(network).eval(), (_example(network),), dynamic_shapes=_any_batch()
        )
        torch.export.save(program, file, extra_files=description(network))
    return file.getvalue()


def _compute_program(path: Path, batches: list[Tensor]) -> list[Tensor]:
    """Return the logits of a program of `torch.export` for some batches."""
    with _quietly():
        program = torch.export.load(io.BytesIO(path.read_bytes())).module()
    return [program(pixels) for pixels in batches]


def _encode_weights(run: str | Path, network: BranchedModel) -> bytes:
    """Return weights and description as one file of safetensors."""
    return network_bytes(run)


def _compute_weights(path: Path, batches: list[Tensor]) -> list[Tensor]:
    """Return the logits of the network in a file of safetensors for some batches."""
    classifier = PixelClassifier(load_network(path)).eval()
    return [classifier(pixels) for pixels in batches]


FORMATS = {
    "onnx": Format(_encode_onnx, _compute_onnx),
    "torch_export": Format(_encode_program, _compute_program),
    "safetensors": Format(_encode_weights, _compute_weights),
}
"""Formats by their names in `ltnas.config.EXPORT_FORMATS`."""


@torch.no_grad()
def largest_difference(path: Path, format_name: str, network: BranchedModel) -> float:
    """Return how far logits of an exported file are from those of its network, at most.

    The images are random, in batches of one and of three.

    Args:
        path: exported file.
        format_name: name of its format.
        network: loaded network.
    """
    generator = torch.Generator().manual_seed(0)
    side = input_side(network)
    shapes = [(count, 3, side, side) for count in (1, 3)]
    batches = [torch.randint(0, 256, shape, generator=generator).byte() for shape in shapes]
    expected = [PixelClassifier(network).eval()(pixels) for pixels in batches]
    found = FORMATS[format_name].compute(path, batches)
    pairs = zip(expected, found, strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs)


def _example(network: BranchedModel) -> Tensor:
    """Return pixels of two images, with which a network is traced."""
    side = input_side(network)
    return torch.zeros(2, 3, side, side, dtype=torch.uint8)


def _any_batch() -> dict[str, Any]:
    """Return the dimensions of the input that may vary: the number of images alone."""
    return {INPUT: {0: torch.export.Dim("batch")}}


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep remarks of exporters on their own inner workings from the terminal."""
    level = logging.getLogger("onnxscript").level
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.getLogger("onnxscript").setLevel(level)
