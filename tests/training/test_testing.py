"""How often a run tests its model, and on how many images."""

import csv
import json

import pytest
from composed import composed

from ltnas.reports.caveats import caveats
from ltnas.reports.rows import make_rows
from ltnas.reports.runs import find_runs
from ltnas.retrain import retrain
from ltnas.search import search

pytestmark = pytest.mark.usefixtures("unrendered")


def epochs_with_tests(folder):
    """Return the epochs whose row of the history has a test accuracy."""
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert all(row["train_loss"] for row in rows)
    return [int(row["epoch"]) for row in rows if row["accuracy_balanced"]]


@pytest.mark.parametrize(("every", "expected"), [(1, [0, 1, 2]), (2, [1, 2]), (5, [2])])
def test_the_last_epoch_is_always_tested(every, expected, tmp_path, capsys):
    words = ("epochs=3", f"test_every={every}", "limit_test_batches=1", f"runs={tmp_path}")
    folder = search(composed("search", *words, "space.nodes=1"))
    assert epochs_with_tests(folder) == expected
    assert (folder / "curves.png").exists()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("darts ")]
    assert [" test " in line for line in lines] == [epoch in expected for epoch in range(3)]
    assert json.loads((folder / "metrics.json").read_text())["supernet_accuracy"]


def test_a_run_that_tests_seldom_resumes_as_it_would_have_gone_on(tmp_path):
    words = ("genotype=darts_v2", "auxiliary=0", "test_every=2", "limit_test_batches=1")
    whole = retrain(composed("retrain", *words, "epochs=3", f"runs={tmp_path}/whole"))
    config = composed("retrain", *words, "epochs=3", "resume=auto", f"runs={tmp_path}/parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ltnas.training.retrain_module.RetrainModule.training_step", broken_later())
        with pytest.raises(InterruptedError):
            retrain(config)
    parts = retrain(config)
    for name in ("history.csv", "genotype.json"):
        assert (parts / name).read_text() == (whole / name).read_text()
    assert epochs_with_tests(parts) == [1, 2]


def broken_later():
    """Return a training step that fails in the second epoch."""
    from ltnas.training.retrain_module import RetrainModule

    step = RetrainModule.training_step

    def training_step(module, batches, index):
        if module.current_epoch == 1:
            raise InterruptedError
        return step(module, batches, index)

    return training_step


def test_a_limited_test_says_how_many_images_it_had(tmp_path, capsys):
    words = ("genotype=darts_v2", "auxiliary=0", "epochs=1", "limit_test_batches=1")
    folder = retrain(composed("retrain", *words, f"runs={tmp_path}"))
    metrics = json.loads((folder / "metrics.json").read_text())
    tests, data = metrics["test"], metrics["data"]
    assert (data["tested_images"], data["test_images"]) == (100, 362)
    assert tests["balanced"]["images"] == 100
    assert [sum(row) for row in tests["balanced"]["confusion"]] == [10] * 10
    assert 0 < tests["long_tailed"]["images"] < 100
    lines = capsys.readouterr().out.splitlines()
    note = "note: limit_test_batches tests on 100 of 362 test images: accuracies are estimates"
    assert lines.count(note) == 2  # before the training, and below the results
    assert len([line for line in lines if line.endswith("% of 100 images")]) == 1
    (row,) = make_rows(find_runs([tmp_path]))
    assert "limit_test_batches=1" in row.protocol
    assert any(line.startswith("tested on a part") for line in caveats([row], list(row.runs)))


def test_a_limit_beyond_all_images_is_none(tmp_path):
    words = ("genotype=darts_v2", "auxiliary=0", "epochs=1", "limit_test_batches=4")
    folder = retrain(composed("retrain", *words, f"runs={tmp_path}"))
    data = json.loads((folder / "metrics.json").read_text())["data"]
    assert data["tested_images"] == data["test_images"] == 362
    (row,) = make_rows(find_runs([tmp_path]))
    assert not any(line.startswith("tested on a part") for line in caveats([row], list(row.runs)))
