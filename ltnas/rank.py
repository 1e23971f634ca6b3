"""python -m ltnas.rank: score networks without training, by zero-shot proxies.

Reads from top to bottom: genotypes, images, scores, table, files.
"""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("rank")

from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from ltnas.cli.console import plain_console
from ltnas.config import RankConfig
from ltnas.data.long_tail import LongTail, load_long_tail
from ltnas.plots.ranking import AGREEMENT, plot_agreement, plot_ranking
from ltnas.proxies.batch import ProxyBatch, draw_batch
from ltnas.ranking.candidates import Candidate, differing_settings, find_candidates, trained_runs
from ltnas.ranking.scores import FEWEST, Scored, agreements, in_order, score_candidate
from ltnas.ranking.tables import rank_csv, table_of_one, tables_of_many
from ltnas.reports.runs import Run
from ltnas.runs.folder import open_folder
from ltnas.runs.provenance import provenance
from ltnas.space.layout import check_image_size, chosen_stem
from ltnas.training.trainer import choose_accelerator


def rank(config: RankConfig) -> Path:
    """Score all genotypes, print a table, and write it with pictures into a folder.

    Returns:
        The folder of rank.csv, rank.json and the pictures.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    console = plain_console()
    accelerator = choose_accelerator(config.trainer, "32", compiled=False)
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    folder = open_folder(config.out)
    for name in AGREEMENT:  # an earlier ranking may have left them
        (folder.path / name).unlink(missing_ok=True)

    # The genotypes, and the images that all of them see.
    runs = trained_runs(config.runs)
    candidates = find_candidates(config, runs)
    long_tail = load_long_tail(config.data, config.imbalance)
    stem = chosen_stem(config.stem, long_tail.image_size)
    for macro in sorted({candidate.genotype.macro for candidate in candidates}):
        check_image_size(long_tail.image_size, config.cells, False, stem, macro)
    batch = draw_batch(long_tail, config.batch_size, config.seed, config.batch)
    _print_batch(console, config, batch, long_tail)

    # The scores, in the order of the table.
    device = torch.device("cuda" if accelerator == "gpu" else "cpu")
    scored = in_order(_score(console, config, candidates, batch.to(device)), config.names)
    taus = agreements(scored, config.names)
    _print_scores(console, scored)
    for note in notes(scored, runs):
        console.print(f"note: {note}", soft_wrap=True)

    # The files.
    folder.write_text("rank.csv", rank_csv(scored))
    folder.write_json("rank.json", _description(config, batch, long_tail, stem, taus))
    plot_ranking(folder, config.names)
    if any(tau is not None for tau in taus.values()):
        plot_agreement(folder, taus)
    return folder.path


def _print_batch(
    console: Console, config: RankConfig, batch: ProxyBatch, long_tail: LongTail
) -> None:
    """Print which images the proxies see."""
    counts = batch.counts
    console.print(
        f"{config.data.title} {config.imbalance.name}: batch={config.batch}, "
        f"{len(batch.labels)} training images, {min(counts)} to {max(counts)} of each class, "
        f"subset {long_tail.checksum}",
        soft_wrap=True,
    )


def _score(
    console: Console, config: RankConfig, candidates: list[Candidate], batch: ProxyBatch
) -> list[Scored]:
    """Score all candidates, with a bar on a terminal."""
    steps = len(candidates) * config.repeats * len(config.names)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("scores", total=steps)

        def scored(candidate: Candidate) -> Scored:
            def begin(proxy: str) -> None:
                progress.update(task, advance=1, description=f"{candidate.name} {proxy}")

            return score_candidate(config, candidate, batch, begin)

        return [scored(candidate) for candidate in candidates]


def _print_scores(console: Console, scored: list[Scored]) -> None:
    """Print one table for a single genotype, and tables side by side for several."""
    if len(scored) == 1:
        console.print(table_of_one(scored[0]))
        return
    for table in tables_of_many(scored, console.width):
        console.print()
        console.print(table)
    console.print("rank: mean rank over the proxies, 1 is best")


def notes(scored: list[Scored], runs: list[Run]) -> list[str]:
    """Return what limits how far the accuracies can be compared with scores.

    Args:
        scored: scored genotypes.
        runs: trained runs that accuracies come from.
    """
    found = []
    known = [one for one in scored if one.candidate.accuracies]
    if runs and len(known) < FEWEST:
        found.append(
            f"{len(known)} of the genotypes have an accuracy: Kendall's tau needs {FEWEST}"
        )
    differing = differing_settings(runs)
    if differing:
        found.append(
            f"the trainings differ in {', '.join(differing)}: their accuracies do not compare "
            "genotypes alone"
        )
    return found


def _description(
    config: RankConfig,
    batch: ProxyBatch,
    long_tail: LongTail,
    stem: str,
    taus: dict[str, float | None],
) -> dict[str, object]:
    """Return the content of rank.json: images, networks, agreement and provenance."""
    return {
        "batch": {
            "kind": config.batch,
            "images": len(batch.labels),
            "class_counts": batch.counts,
            "source": config.data.title,
            "imbalance": config.imbalance.name,
            "subset_checksum": long_tail.checksum,
        },
        "network": {"channels": config.channels, "cells": config.cells, "stem": stem},
        "seed": config.seed,
        "repeats": config.repeats,
        "kendall_tau": taus,
        "provenance": provenance("ltnas.rank", config.trainer),
    }
