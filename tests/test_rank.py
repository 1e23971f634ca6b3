"""`python -m ltnas.rank`: its files and its output."""

import csv
import json

import pytest
from composed import settings
from conftest import TINY
from trained import trained_run

from ltnas.cli.command import COMMANDS, refuse_multirun
from ltnas.cli.words import with_lists
from ltnas.errors import UserError
from ltnas.rank import rank

SMALL = (*TINY[:-2], "proxies=nwot,l2_norm,macs")


def ranked(tmp_path, *words):
    typed = with_lists([*SMALL, f"out={tmp_path / 'rank'}", *words], COMMANDS["rank"].lists)
    return rank(settings("rank", *typed))


def rows(folder):
    with (folder / "rank.csv").open() as file:
        return list(csv.DictReader(file))


def test_files_of_several_genotypes(tmp_path, capsys):
    folder = ranked(tmp_path, "genotype=darts_v1,gdas_v1", "random=1", "imbalance=exp0.01")
    names = {"rank.csv", "rank.json", "rank.png", "rank.svg"}
    assert {path.name for path in folder.iterdir()} == names
    assert {row["genotype"] for row in rows(folder)} == {"darts_v1", "gdas_v1", "random_0"}
    described = json.loads((folder / "rank.json").read_text())
    assert described["batch"]["kind"] == "balanced"
    assert sum(described["batch"]["class_counts"]) == 32
    assert described["kendall_tau"] == {"nwot": None, "l2_norm": None, "macs": None}
    out = capsys.readouterr().out
    assert out.startswith("digits exp0.01: batch=balanced, 32 training images, 1 to 4 of each")
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_broad_genotypes_are_ranked_beside_those_of_stacked_cells(tmp_path):
    words = ("genotype=bnasv2_clr_v1,darts_v1", "proxies=macs,parameters", "cells=4")
    one, two = (
        {row["genotype"]: row for row in rows(ranked(tmp_path, *words, f"enhancement_cells={n}"))}
        for n in (1, 2)
    )
    assert set(one) == {"bnasv2_clr_v1", "darts_v1"}
    # Only the broad network has enhancement cells.
    assert one["darts_v1"]["parameters"] == two["darts_v1"]["parameters"]
    sizes = [float(found["bnasv2_clr_v1"]["parameters"]) for found in (one, two)]
    assert sizes[0] < sizes[1]
    with pytest.raises(UserError, match="cells=1 in a broad network"):
        ranked(tmp_path, *words[:2], "cells=1")


def test_a_single_genotype_and_a_natural_batch(tmp_path, capsys):
    ranked(tmp_path, "genotype=darts_v1", "batch=natural", "repeats=2")
    out = capsys.readouterr().out
    assert "batch=natural" in out
    assert "multiply-accumulates for one image" in out
    assert "deviation" in out


def test_accuracies_of_trained_runs(tmp_path, capsys):
    for name, accuracy in (("darts_v1", 0.5), ("gdas_v1", 0.6), ("pdarts", 0.7)):
        trained_run(tmp_path, f"runs/retrain-{name}", accuracy, genotype=name)
    folder = ranked(tmp_path, f"runs={tmp_path / 'runs'}", "random=1")
    assert (folder / "accuracy.png").exists()
    assert [row["accuracy"] for row in rows(folder)] == ["0.7", "0.6", "0.5", ""]
    taus = json.loads((folder / "rank.json").read_text())["kendall_tau"]
    # macs of pdarts lie between those of the others.
    assert taus["macs"] == pytest.approx(1 / 3)
    out = capsys.readouterr().out
    assert "Kendall's tau" in out
    assert "note:" not in out
    # A ranking without accuracies leaves no picture of them.
    assert not (ranked(tmp_path, "random=2") / "accuracy.png").exists()


def test_notes_on_few_or_unlike_trainings(tmp_path, capsys):
    trained_run(tmp_path, "runs/retrain-a", 0.5)
    trained_run(tmp_path, "runs/retrain-b", 0.6, genotype="pdarts", epochs=3)
    ranked(tmp_path, f"runs={tmp_path / 'runs'}", "proxies=macs")
    out = capsys.readouterr().out
    assert "note: 2 of the genotypes have an accuracy: Kendall's tau needs 3" in out
    assert "note: the trainings differ in epochs" in out


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "rank").write_text("a file")
    with pytest.raises(UserError, match="cannot be created"):
        ranked(tmp_path, "random=1")


def test_images_that_are_too_small(tmp_path):
    with pytest.raises(UserError, match="cannot be halved"):
        ranked(tmp_path, "random=1", "data.image_size=6")


def test_sweeps_are_refused():
    with pytest.raises(UserError, match="leave -m out, and write genotype=A,B for several"):
        refuse_multirun("rank", ("genotype",), ["-m", "genotype=[a]"])


def test_as_a_program(ltnas, tmp_path):
    done = ltnas("rank", "genotype=darts_v1,darts_v2", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "rank"
    assert (tmp_path / "rank" / "rank.csv").exists()
