"""Genotypes of a ranking, and the accuracies of trained runs."""

import json

import pytest
from trained import trained_run

from ltnas.axes.selection import random_genotype
from ltnas.config import OPERATIONS, RankConfig, Space
from ltnas.errors import UserError
from ltnas.ranking.candidates import accuracy, differing_settings, find_candidates, trained_runs
from ltnas.space.genotype import load_genotype, published_names


def candidates(**settings):
    config = RankConfig(**settings)
    return find_candidates(config, trained_runs(config.runs))


def test_names_files_folders_and_random_draws(tmp_path):
    cells = random_genotype(OPERATIONS, 4, 99).to_json()
    other = random_genotype(OPERATIONS, 4, 98).to_json()
    (tmp_path / "mine.json").write_text(json.dumps(cells))
    (tmp_path / "search-x").mkdir()
    (tmp_path / "search-x" / "genotype.json").write_text(json.dumps(other))
    found = candidates(
        genotype=["DARTS_V2", str(tmp_path / "mine.json"), str(tmp_path / "search-x")], random=2
    )
    assert [one.name for one in found] == ["darts_v2", "mine", "search-x", "random_0", "random_1"]
    assert found[0].genotype == load_genotype("darts_v2")[0]
    assert found[-1].genotype == random_genotype(OPERATIONS, 4, 1)
    assert {one.accuracy for one in found} == {None}


def test_random_draws_are_of_the_space():
    (one,) = candidates(random=1, space=Space(operations=["skip_connect"], nodes=2))
    assert {edge.operation for edge in one.genotype.cell("normal").edges} == {"skip_connect"}
    assert one.genotype.cell("normal").concat == (2, 3)


def test_all_published_ones():
    assert len(candidates(genotype=["published"])) == len(published_names())


def test_equal_genotypes_are_one_and_equal_names_are_told_apart(tmp_path):
    cells = random_genotype(OPERATIONS, 4, 99).to_json()
    (tmp_path / "darts_v2.json").write_text(json.dumps(cells))
    found = candidates(genotype=["darts_v2", "darts_v2", str(tmp_path / "darts_v2.json")])
    assert [one.name for one in found] == ["darts_v2", "darts_v2 (2)"]


def test_accuracies_of_runs(tmp_path):
    for seed, value in enumerate((0.5, 0.7)):
        trained_run(tmp_path, f"retrain-a-s{seed}", value, seed=seed)
    trained_run(tmp_path, "retrain-b", 0.9, genotype="pdarts")
    found = candidates(genotype=["gdas_v1", "darts_v2"], runs=[str(tmp_path)])
    by_name = {one.name: one.accuracies for one in found}
    assert by_name == {"gdas_v1": (), "darts_v2": (0.5, 0.7), "pdarts": (0.9,)}
    assert [one.accuracy for one in found] == [None, pytest.approx(0.6), 0.9]


def test_classes_count_alike_in_an_unbalanced_test_set(tmp_path):
    trained_run(tmp_path, "retrain-a", 0.8, tests="test")
    (run,) = trained_runs([str(tmp_path)])
    assert accuracy(run) == 0.4


def test_settings_in_which_runs_differ(tmp_path):
    trained_run(tmp_path, "retrain-a", 0.8, seed=1)
    trained_run(tmp_path, "retrain-b", 0.7, genotype="pdarts", seed=2)
    assert differing_settings(trained_runs([str(tmp_path)])) == []
    trained_run(tmp_path, "retrain-c", 0.7, epochs=3)
    assert differing_settings(trained_runs([str(tmp_path)])) == ["epochs"]


def test_folders_without_trainings(tmp_path):
    with pytest.raises(UserError, match="has no finished training of a genotype"):
        trained_runs([str(tmp_path)])
    with pytest.raises(UserError, match=r"runs=.*none is no folder"):
        trained_runs([str(tmp_path / "none")])
    assert trained_runs([]) == []
