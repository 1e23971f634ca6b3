"""Detection of collapsed searches, and the reaction of a run."""

import csv
import json

import pytest
from composed import composed

from ltnas import config as c
from ltnas.callbacks.architecture import ArchitectureHistory
from ltnas.config.search import COLLAPSE_RULES
from ltnas.diagnostics.collapse import RULES, collapsed
from ltnas.search import search
from ltnas.training.search_module import SearchModule


def rows(shares, eigenvalues=None):
    measured = eigenvalues or {}
    return [
        {
            "skip_share_normal": share,
            **({"largest_eigenvalue": measured[epoch]} if epoch in measured else {}),
        }
        for epoch, share in enumerate(shares)
    ]


@pytest.mark.parametrize(
    ("shares", "healthy"),
    [
        ([0.0, 0.25, 0.5, 0.5], None),  # not for long enough
        ([0.0, 0.25, 0.5, 0.5, 0.75], 1),
        ([0.5, 0.5, 0.5], 0),  # never healthy: the first there is
        ([0.0, 0.5, 0.5, 0.4, 0.5, 0.5], None),
        ([], None),
    ],
)
def test_skip_connections_in_a_row(shares, healthy):
    collapse = collapsed(rows(shares), c.Collapse())
    assert (collapse and collapse.healthy_epoch) == healthy
    assert collapse is None or "skip connections, for 3 epochs" in collapse.reason


def test_share_and_patience_are_those_of_the_rule():
    assert collapsed(rows([0.0, 0.3]), c.Collapse(skip_share=0.3, patience=1)).healthy_epoch == 0
    assert collapsed(rows([0.0, 0.3]), c.Collapse(skip_share=0.31, patience=1)) is None


@pytest.mark.parametrize(
    ("values", "healthy"),
    [
        ([0.3] * 5 + [0.39] * 5, None),  # 0.3 / 0.39 = 0.77
        ([0.3] * 5 + [0.41] * 5, 4),  # 0.73
        ([0.3] * 5 + [0.41] * 4, None),  # too few
        ([-0.3] * 10, None),
        ([1.0, 0.1, 0.1, 0.1, 0.2, 0.4, 0.4, 0.4, 0.4, 0.41], 4),
    ],
)
def test_curvature_that_grows_as_in_the_paper(values, healthy):
    collapse = collapsed(rows([0.0] * len(values), dict(enumerate(values))), c.Collapse())
    assert (collapse and collapse.healthy_epoch) == healthy


@pytest.mark.parametrize(("every", "window", "last_healthy"), [(2, 3, 5), (5, 2, 9)])
def test_curvature_that_is_not_measured_in_each_epoch(every, window, last_healthy):
    values = {
        every * (number + 1) - 1: 0.3 if number < window else 0.6 for number in range(2 * window)
    }
    epochs = 2 * window * every
    collapse = collapsed(rows([0.0] * epochs, values), c.Collapse())
    assert collapse.healthy_epoch == last_healthy
    assert collapsed(rows([0.0] * (epochs + 1), values), c.Collapse()) is None
    values.pop(epochs - 1)
    assert collapsed(rows([0.0] * (epochs - every), values), c.Collapse()) is None


def test_curvature_can_be_seen_with_the_defaults_before_half_of_a_search():
    rule, epochs = c.Collapse(), c.SearchConfig().epochs // 2
    doubles = {epoch: 2.0**epoch for epoch in range(epochs) if not (epoch + 1) % rule.hessian_every}
    assert collapsed(rows([0.0] * epochs, doubles), rule) is not None


@pytest.mark.parametrize("before", [0.0, -1e-6, float("nan")])
def test_curvature_that_was_not_positive_does_not_grow(before):
    values = [before] * 5 + [1e-7] * 5
    assert collapsed(rows([0.0] * 10, dict(enumerate(values))), c.Collapse()) is None
    values = [0.1] * 9 + [float("nan")]
    assert collapsed(rows([0.0] * 10, dict(enumerate(values))), c.Collapse()) is None


def test_either_rule_can_be_chosen_alone():
    assert set(RULES) == set(COLLAPSE_RULES)
    skips, grown = rows([1.0] * 3), rows([0.0] * 10, dict(enumerate([0.3] * 5 + [0.6] * 5)))
    for rule, seen, unseen in (("skips", skips, grown), ("eigenvalue", grown, skips)):
        assert collapsed(seen, c.Collapse(rules=[rule])) is not None
        assert collapsed(unseen, c.Collapse(rules=[rule])) is None
        assert collapsed(seen, c.Collapse()) is not None


def rated(found, rates):
    """The rows of epochs with these learning rates of the architecture."""
    return [{**row, "architecture_rate": rate} for row, rate in zip(found, rates, strict=True)]


def test_epochs_before_the_first_architecture_step_do_not_count():
    rates = [0.0] * 4 + [0.1] * 10
    skips = rated(rows([1.0] * 14), rates)
    assert collapsed(skips[:6], c.Collapse()) is None
    # Never healthy since the architecture moves: its first epoch is what there is.
    assert collapsed(skips[:7], c.Collapse()).healthy_epoch == 4
    growing = rated(rows([0.0] * 14, dict(enumerate([0.1] * 5 + [0.3] * 9))), rates)
    assert collapsed(growing, c.Collapse()) is None
    grown = rated(rows([0.0] * 14, dict(enumerate([0.1] * 9 + [0.3] * 5))), rates)
    assert collapsed(grown, c.Collapse()).healthy_epoch == 8
    assert collapsed(rated(rows([1.0] * 4), rates[:4]), c.Collapse()) is None


def test_each_stage_is_judged_by_its_own_epochs():
    rates, stages = [0.1] * 4 + [0.0] + [0.1] * 5, [1] * 4 + [2] * 6
    skips = [
        {**row, "stage": stage}
        for row, stage in zip(rated(rows([0.0] * 2 + [1.0] * 8), rates), stages, strict=True)
    ]
    assert collapsed(skips[:7], c.Collapse()) is None
    assert collapsed(skips[:8], c.Collapse()).healthy_epoch == 5
    grown = rated(rows([0.0] * 10, dict(enumerate([0.1] * 5 + [0.5] * 5))), rates)
    assert collapsed(grown, c.Collapse()) is not None
    in_stages = [{**row, "stage": stage} for row, stage in zip(grown, stages, strict=True)]
    assert collapsed(in_stages, c.Collapse()) is None


def test_epochs_in_which_a_schedule_has_frozen_the_architecture_count():
    frozen = rated(rows([0.0, 1.0, 1.0, 1.0]), [0.1, 0.1, 0.0, 0.0])
    assert collapsed(frozen, c.Collapse()).healthy_epoch == 0


# --- a run --------------------------------------------------------------------------------------

WORDS = ("scheme=darts", "space.nodes=2", "epochs=5", "limit_batches=1", "collapse.hessian_every=2")


@pytest.fixture
def collapses(monkeypatch, no_pictures):
    """Searches report a normal cell of skip connections from their third epoch on."""
    details = SearchModule.epoch_details

    def collapsing(self):
        share = 1.0 if self.current_epoch >= 2 else 0.25
        return {**details(self), "skip_share_normal": share}

    monkeypatch.setattr(SearchModule, "epoch_details", collapsing)


def history(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_collapse_is_printed_and_the_search_continues(tmp_path, collapses, capsys):
    words = ("collapse.patience=2", f"runs={tmp_path}")
    folder = search(composed("search", *WORDS, *words))
    notes = [line for line in capsys.readouterr().out.splitlines() if "collapse" in line]
    assert len(notes) == 1
    assert "100 % of the normal cell's operations are skip connections" in notes[0]
    assert "try scheme=fairdarts" in notes[0]
    assert "stop_on_collapse=true" in notes[0]
    assert len(history(folder)) == metrics(folder)["epochs"] == 5
    assert "skip connections" in metrics(folder)["collapse"]
    # every other epoch, and empty in between
    measured = [row["largest_eigenvalue"] != "" for row in history(folder)]
    assert measured == [False, True, False, True, False]


def test_a_search_that_stops_keeps_the_genotype_from_before(tmp_path, collapses, capsys):
    words = ("collapse.patience=2", "stop_on_collapse=true", f"runs={tmp_path}")
    folder = search(composed("search", *WORDS, "architecture.learning_rate=0.3", *words))
    assert len(history(folder)) == metrics(folder)["epochs"] == 4
    genotypes = json.loads((folder / "genotypes.json").read_text())
    kept = json.loads((folder / "genotype.json").read_text())
    assert {key: kept[key] for key in ("normal", "reduce")} == {
        key: genotypes[1][key] for key in ("normal", "reduce")
    }
    assert genotypes[1]["normal"] != genotypes[3]["normal"], "the test needs genotypes that differ"
    (note,) = metrics(folder)["notes"]
    assert note.startswith("stopped after epoch 4: ")
    assert note.endswith("the genotype of epoch 2")
    assert "stop_on_collapse" not in capsys.readouterr().out  # it is set


def test_a_search_that_stops_is_tested_although_its_last_epoch_was_not(tmp_path, collapses):
    words = ("collapse.patience=2", "stop_on_collapse=true", "collapse.rules=[skips]")
    words += ("collapse.hessian_every=0",)
    tested = {}
    for every in (1, 3, 4, 5):
        runs = (f"test_every={every}", f"runs={tmp_path / str(every)}")
        folder = search(composed("search", *WORDS, *words, *runs))
        last = history(folder)[-1]
        assert last["epoch"] == "3"
        assert metrics(folder)["supernet_accuracy"] == {
            key: float(last[key]) for key in ("accuracy_balanced", "accuracy_long_tailed")
        }
        tested[every] = {key: last[key] for key in last if key.endswith("balanced")}
    assert tested[3] == tested[4] == tested[5] == tested[1]


def test_a_search_stops_on_a_growing_eigenvalue(tmp_path, monkeypatch):
    found = iter([0.1, 0.1, 0.1, 0.5, 0.5, 0.5])
    monkeypatch.setattr(
        "ltnas.training.search_module.measure_curvature", lambda *arguments: next(found)
    )
    monkeypatch.setattr("ltnas.diagnostics.collapse.WINDOW", 2)
    words = ("stop_on_collapse=true", "collapse.rules=[eigenvalue]", "collapse.hessian_every=1")
    late = ("architecture.warmup=0.2", "test_every=4", "epochs=7", f"runs={tmp_path}")
    folder = search(composed("search", *WORDS, *words, *late))
    # The first epoch is one of warm-up: 0.1 and 0.1 against 0.5 and 0.5 is seen after the fifth.
    assert len(history(folder)) == 5
    assert "largest eigenvalue" in metrics(folder)["collapse"]
    assert metrics(folder)["notes"][0].endswith("this is the genotype of epoch 3")


def test_a_run_that_died_after_its_collapse_stops_there_too(tmp_path, collapses, monkeypatch):
    words = ("collapse.patience=2", "stop_on_collapse=true", f"runs={tmp_path}", "resume=auto")
    config = composed("search", *WORDS, *words)

    def die(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ltnas.search.plot_architecture", die)
        with pytest.raises(KeyboardInterrupt):
            search(config)
    folder = search(config)
    assert len(history(folder)) == 4
    assert metrics(folder)["notes"][0].startswith("stopped after epoch 4: ")


def test_healthy_searches_print_no_warning(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ArchitectureHistory, "on_train_epoch_end", lambda *_: None)
    monkeypatch.setattr("ltnas.search.plot_architecture", lambda _: None)
    details = SearchModule.epoch_details
    healthy = {"skip_share_normal": 0.0}
    monkeypatch.setattr(SearchModule, "epoch_details", lambda self: {**details(self), **healthy})
    words = ("stop_on_collapse=true", "collapse.hessian_every=0", f"runs={tmp_path}")
    folder = search(composed("search", *WORDS, *words))
    assert "collapse" not in capsys.readouterr().out
    assert metrics(folder)["collapse"] is None
    assert "largest_eigenvalue" not in history(folder)[0]
