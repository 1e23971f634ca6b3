"""The genotypes of a ranking: given by name, drawn at random, or of trained runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from ltnas.config import RankConfig, Space, require
from ltnas.data.test_sets import headline
from ltnas.reports.runs import NOT_OF_A_GROUP, Run, find_runs
from ltnas.runs.user_paths import expanded
from ltnas.space.drawing import random_genotype
from ltnas.space.edge_masks import edge_masks
from ltnas.space.genotype import FILE, Genotype, is_published, load_genotype, published_names


@dataclass(frozen=True)
class Candidate:
    """A genotype of a ranking.

    Args:
        name: name for tables.
        genotype: its cells.
        accuracies: accuracies of the trained runs that have it, in [0, 1].
    """

    name: str
    genotype: Genotype
    accuracies: tuple[float, ...] = ()

    @property
    def accuracy(self) -> float | None:
        """Mean accuracy of the trained runs; None if there is none."""
        return mean(self.accuracies) if self.accuracies else None


def find_candidates(config: RankConfig, runs: list[Run]) -> list[Candidate]:
    """Return all genotypes of a ranking, each once and under a name of its own.

    Args:
        config: configuration of the ranking.
        runs: trained runs, see `trained_runs`.

    Raises:
        UserError: a genotype cannot be loaded.
    """
    accuracies: dict[Genotype, list[float]] = {}
    names: dict[Genotype, str] = {}
    for name, genotype in (*_named(config.genotype), *_drawn(config.space, config.random)):
        names.setdefault(genotype, name)
    for run in runs:
        genotype, _ = load_genotype(run.folder)
        names.setdefault(genotype, _name_of(run))
        accuracies.setdefault(genotype, []).append(accuracy(run))
    unique = _unique(list(names.values()))
    return [
        Candidate(name, genotype, tuple(accuracies.get(genotype, ())))
        for name, genotype in zip(unique, names, strict=True)
    ]


def trained_runs(folders: list[str]) -> list[Run]:
    """Return the finished trainings of searched networks in and below folders.

    Raises:
        UserError: a folder does not exist, or there is no such training.
    """
    paths = [expanded("runs", folder) for folder in folders]
    for path in paths:
        require(path.is_dir(), f"runs={path} is no folder: give one that contains trained runs")
    found = [
        run
        for run in find_runs(paths)
        if run.state == "finished" and run.kind == "retrain" and (run.folder / FILE).exists()
    ]
    require(
        found != [] or folders == [],
        f"runs={','.join(folders)} has no finished training of a genotype: train some by "
        "ltnas.retrain, or rank genotypes without accuracies by genotype=NAME",
    )
    return found


def accuracy(run: Run) -> float:
    """Return the accuracy that ranks a training: the mean over classes if they are unbalanced."""
    return float(run.metrics["test"][run.tests][headline(run.tests)])


def differing_settings(runs: list[Run]) -> list[str]:
    """Return the settings, apart from genotype and seed, in which trainings differ."""
    keys = sorted({key for run in runs for key in run.settings} - set(NOT_OF_A_GROUP))
    return [key for key in keys if len({run.settings.get(key) for run in runs}) > 1]


def _named(words: list[str]) -> Iterator[tuple[str, Genotype]]:
    """Yield name and genotype of each word of `genotype=`."""
    for word in words:
        for where in published_names() if word == "published" else [word]:
            yield _short(where), load_genotype(where)[0]


def _drawn(space: Space, number: int) -> Iterator[tuple[str, Genotype]]:
    """Yield name and genotype of random draws, as `scheme=random seed=N` draws them."""
    masks = edge_masks(space)
    for seed in range(number):
        yield f"random_{seed}", random_genotype(space.operations, space.nodes, seed, masks)


def _short(where: str) -> str:
    """Return a published name, or the last part of a path that tells what it is."""
    if is_published(where):
        return where.lower()
    path = Path(where)
    return path.parent.name or path.stem if path.name == FILE else path.name.removesuffix(".json")


def _name_of(run: Run) -> str:
    """Return the name of the genotype that a run has trained."""
    return _short(run.settings["genotype"])


def _unique(names: list[str]) -> list[str]:
    """Return names with a number where one occurs again."""
    return [
        name if name not in names[:place] else f"{name} ({names[:place].count(name) + 1})"
        for place, name in enumerate(names)
    ]
