"""python -m ltnas.pipeline: search, then train what was found; what is done is skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ltnas.cli.command import run_command
from ltnas.cli.words import compose_beside, task_words, words_of
from ltnas.config import PipelineConfig, RetrainConfig, SearchConfig
from ltnas.config.pipeline import as_the_search
from ltnas.config.requirements import require
from ltnas.retrain import retrain
from ltnas.runs.once import once
from ltnas.search import search

PREFIX = "retrain."
PENDING = "pending"
"""Stands for the genotype until it is found."""


def pipeline(searching: SearchConfig, training: RetrainConfig | None) -> Path:
    """Search, and train the genotype that was found.

    Args:
        searching: of the search.
        training: of the training, whose genotype is put in; None: search alone.

    Returns:
        The run folder of the last stage.

    Raises:
        UserError: something that the user can mend; see its text.
    """

    def checked(config: SearchConfig) -> Path:
        if training is not None:
            check_sizes(config, training)
        return search(config)

    folder = once(searching, checked)
    if training is None:
        return folder
    print(f"found: {folder}", flush=True)
    return once(replace(training, genotype=str(folder)), retrain)


def check_sizes(searching: SearchConfig, training: RetrainConfig) -> None:
    """Raise a `UserError` if images are too small for the training, before hours of searching."""
    from ltnas.data.long_tail import load_long_tail
    from ltnas.space.layout import check_image_size

    size = load_long_tail(searching.data, searching.imbalance).image_size
    check_image_size(size, training.cells, training.auxiliary > 0, training.stem)


def training_of(config: PipelineConfig, said: list[str]) -> RetrainConfig:
    """What the training is told.

    Args:
        config: of the pipeline.
        said: words of the command line, of which those that begin with `retrain.` are its own.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    own = [word[len(PREFIX) :] for word in said if word.startswith(PREFIX)]
    words = {word.partition("=")[0]: word for word in [*words_of(config.retrain), *own]}
    for key in ("genotype", "network"):
        require(
            key not in words,
            f"{PREFIX}{key} in a pipeline, which trains the genotype that it finds: leave it out, "
            "or run ltnas.retrain",
        )
    composed = compose_beside("retrain", [*words.values(), f"genotype={PENDING}"])
    assert isinstance(composed, RetrainConfig)
    return as_the_search(composed, config, {key.partition(".")[0] for key in words})


def _pipeline(config: PipelineConfig) -> Path:
    training = training_of(config, task_words()) if config.until == "retrain" else None
    return pipeline(config.search, training)


def main() -> None:
    """The console script."""
    run_command("pipeline", PipelineConfig, _pipeline)


if __name__ == "__main__":
    main()
