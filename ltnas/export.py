"""python -m ltnas.export: a trained network as one file for other programs.

Reads from top to bottom: network, file, comparison.
"""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("export")

from pathlib import Path

from ltnas.cli.console import plain_console
from ltnas.config import EXPORT_FORMATS, ExportConfig
from ltnas.deployment.exported import FORMATS, largest_difference
from ltnas.errors import UserError
from ltnas.models.saved import input_side, load_network
from ltnas.runs.atomic import atomically
from ltnas.runs.user_paths import expanded, output_file

TOLERANCE = 1e-4
"""Largest difference of logits between a file and its network that is rounding."""


def export(config: ExportConfig) -> Path:
    """Write a trained network as one file, load it again, and compare it with the network.

    Returns:
        The file.

    Raises:
        UserError: something that the user can mend, or the file computes something else.
    """
    run = expanded("run", config.run)
    network = load_network(run)
    out = output_file("out", config.out or _beside(run, config.format))
    content = FORMATS[config.format].encode(run, network)
    with atomically(out, "export again") as partial:
        partial.write_bytes(content)
        difference = largest_difference(partial, config.format, network)
        if not difference <= TOLERANCE:  # nor NaN
            raise UserError(
                f"{out} is not written: its logits would differ by {difference:.1g} from those of "
                "the network; take another format, and report this with the versions of torch, "
                "onnx and onnxruntime"
            )
    side = input_side(network)
    plain_console().print(
        f"{config.format}: images of {side} x {side} pixels, "
        f"{len(network.preprocessing['classes'])} classes, {len(content):,} bytes; largest "
        f"difference from the network's logits: {difference:.1g}",
        soft_wrap=True,
    )
    return out


def _beside(run: Path, format_name: str) -> Path:
    """Return the path of the file of a format for a run that was given without `out`."""
    folder = run if run.is_dir() else run.parent
    return folder / f"exported.{EXPORT_FORMATS[format_name]}"
