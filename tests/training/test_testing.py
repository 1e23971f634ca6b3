"""How often a run tests its model, and on how many images."""

import csv
import json

import pytest
from composed import composed

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
    folder = search(composed("search", *words))
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


def test_a_limited_test_says_how_many_images_it_had(tmp_path):
    words = ("genotype=darts_v2", "auxiliary=0", "epochs=1", "limit_test_batches=1")
    folder = retrain(composed("retrain", *words, f"runs={tmp_path}"))
    tests = json.loads((folder / "metrics.json").read_text())["test"]
    assert tests["balanced"]["images"] == 100
    assert 0 < tests["long_tailed"]["images"] < 100
