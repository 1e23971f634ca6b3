"""python -m ltnas.pipeline: search, then train what was found; what is done is skipped."""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("pipeline")

from dataclasses import asdict, fields, replace
from pathlib import Path

from ltnas.cli.words import compose_beside, task_words, words_of
from ltnas.config import Data, Imbalance, PipelineConfig, RetrainConfig, SearchConfig
from ltnas.config.axis import choices
from ltnas.config.pipeline import as_the_search
from ltnas.config.requirements import require
from ltnas.data.long_tail import data_checksum, load_long_tail
from ltnas.retrain import check_sizes as check_training_sizes
from ltnas.retrain import retrain
from ltnas.runs.once import once
from ltnas.search import search

PREFIX = "retrain."
PENDING = "pending"
"""Genotype of a training's configuration before the search has found one."""


def pipeline(searching: SearchConfig, training: RetrainConfig | None) -> Path:
    """Search, and train the genotype that was found.

    Args:
        searching: configuration of the search.
        training: configuration of the training, whose genotype is filled in; None: search only.

    Returns:
        The run folder of the last stage.

    Raises:
        UserError: something that the user can mend; see its text.
    """

    def checked(config: SearchConfig) -> Path:
        if training is not None:
            check_sizes(config, training)
        return search(config)

    folder = once(searching, checked, data_checksum)
    if training is None:
        return folder
    print(f"found: {folder}", flush=True)
    return once(replace(training, genotype=str(folder)), retrain, data_checksum)


def check_sizes(searching: SearchConfig, training: RetrainConfig) -> None:
    """Raise a `UserError` if images are too small for the training, before hours of searching."""
    size = load_long_tail(searching.data, searching.imbalance).image_size
    check_training_sizes(training, choices(searching)["macro"], size)


def training_of(config: PipelineConfig, words: list[str]) -> RetrainConfig:
    """Return the configuration of the training.

    Args:
        config: configuration of the pipeline.
        words: words of the command line; those that begin with `retrain.` belong to the training.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    typed = [word[len(PREFIX) :] for word in words if word.startswith(PREFIX)]
    # By key, so that a word of the command line replaces that of a file.
    by_key = {word.partition("=")[0]: word for word in [*words_of(config.retrain), *typed]}
    for key in ("genotype", "network"):
        require(
            key not in by_key,
            f"{PREFIX}{key} in a pipeline, which trains the genotype that it finds: leave it out, "
            "or run ltnas.retrain",
        )
    # A recipe's constants are those of the imbalance that the training will have.
    imbalance = {} if "imbalance" in by_key else _words_of_imbalance(config.imbalance)
    composed = compose_beside("retrain", [*(imbalance | by_key).values(), f"genotype={PENDING}"])
    assert isinstance(composed, RetrainConfig)
    own = set(by_key) | _data_of_recipe(composed, by_key)
    shared = {word.partition("=")[0] for word in words}
    return as_the_search(composed, config, own - (shared - set(by_key)))


def _data_of_recipe(composed: RetrainConfig, by_key: dict[str, str]) -> set[str]:
    """Return the keys of the data, such as `data.crop_padding`, that a recipe sets.

    Args:
        composed: configuration of the training.
        by_key: words for the training by their keys.
    """
    words = [word for key, word in by_key.items() if key.partition(".")[0] == "data"]
    plain = compose_beside("retrain", [*words, f"genotype={PENDING}"])
    assert isinstance(plain, RetrainConfig)
    return {
        f"data.{key.name}"
        for key in fields(Data)
        if getattr(composed.data, key.name) != getattr(plain.data, key.name)
    }


def _words_of_imbalance(imbalance: Imbalance) -> dict[str, str]:
    """Return the words of a command line that set an imbalance, by their keys."""
    words = words_of(asdict(imbalance), "imbalance.")
    return {word.partition("=")[0]: word for word in words}


def run_pipeline(config: PipelineConfig) -> Path:
    """Run the pipeline of a command line; see `pipeline`."""
    training = training_of(config, task_words()) if config.until == "retrain" else None
    return pipeline(config.search, training)
