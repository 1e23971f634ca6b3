"""python -m ltnas.draw: the cells of a genotype as a picture."""

from __future__ import annotations

if __name__ == "__main__":
    from ltnas.cli.command import main

    main("draw")

from pathlib import Path

from ltnas.config import DrawConfig
from ltnas.plots.cells import draw
from ltnas.plots.figure import save
from ltnas.runs.folder import RunFolder
from ltnas.runs.user_paths import output_file
from ltnas.space.genotype import load_genotype


def draw_genotype(config: DrawConfig) -> Path:
    """Draw the cells of a genotype, and return the path of the picture.

    Raises:
        UserError: there is no such genotype, or the picture cannot be written.
    """
    genotype, _ = load_genotype(config.genotype)
    out = output_file("out", config.out)
    save(draw(genotype), RunFolder(out.parent), out.name)
    return out
