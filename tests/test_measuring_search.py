"""Searches whose selection measures architectures with the supernet's weights."""

import json

import numpy as np
import pytest
from composed import composed

from ltnas.data.long_tail import load_long_tail
from ltnas.search import search
from ltnas.space.genotype import load_genotype
from ltnas.training.search_parts import build_data, halves
from ltnas.training.tuning import Tuning

FEW = ("selection.images=16", "selection.candidates=4", "selection.finalists=2", "space.nodes=2")
WORDS = {
    "random_sharing": FEW,
    "evolution": (*FEW, "selection.population=2", "selection.tournament=2"),
    "darts_pt": ("selection.images=16", "space.nodes=2", "selection.tune_epochs=1"),
}


def configured(scheme, runs, *words):
    chosen = (*WORDS[scheme], *words, "epochs=1", f"runs={runs}")
    return composed("search", f"scheme={scheme}", *chosen)


@pytest.mark.parametrize("scheme", WORDS)
def test_the_genotype_is_the_one_that_was_measured(scheme, tmp_path, no_pictures):
    folder = search(configured(scheme, tmp_path))
    records = json.loads((folder / "selection.json").read_text())
    genotype, _ = load_genotype(str(folder))
    if scheme == "darts_pt":
        # The last decisions are those on the edges of a node.
        kept = [r for r in records[-10:] if r["kept"] and r["cell"] == "normal"]
        found = [(edge.operation, edge.node, edge.source) for edge in genotype.cell("normal").edges]
        assert set(found) == {(r["operation"], r["node"], r["source"]) for r in kept}
        return
    assert len(records) == 4
    best = max(r["final_accuracy"] for r in records if r["final_accuracy"] is not None)
    chosen = [r for r in records if r["genotype"] == genotype.to_json()]
    assert chosen[0]["final_accuracy"] == best


class Killed(Exception):
    """Stands for the end of the process: nothing but files is left."""


def test_a_run_that_is_killed_between_decisions_finds_the_same_after_it_resumes(
    tmp_path, no_pictures, monkeypatch, capsys
):
    words = ("space.nodes=1", "limit_batches=1")
    wanted = search(configured("darts_pt", tmp_path / "never", *words))
    printed = " ".join(capsys.readouterr().out.split())
    assert "on 16 images, and training for 2 epochs between decisions" in printed
    train, epochs = Tuning._train_epoch, []

    def die(self):
        epochs.append(self.epoch)
        if len(epochs) == 2:
            raise Killed
        train(self)

    with monkeypatch.context() as patched:
        patched.setattr(Tuning, "_train_epoch", die)
        with pytest.raises(Killed):
            search(configured("darts_pt", tmp_path / "killed", *words))
    folder = search(configured("darts_pt", tmp_path / "killed", *words, "resume=auto"))
    for name in ("selection.json", "genotype.json", "history.csv", "architecture.safetensors"):
        assert (folder / name).read_bytes() == (wanted / name).read_bytes(), name
    untuned = search(
        configured("darts_pt", tmp_path / "untuned", *words, "selection.tune_epochs=0")
    )
    ours, others = (json.loads((path / "selection.json").read_text()) for path in (wanted, untuned))
    # Both begin with the same decisions, before the weights are trained for the first time.
    assert ours[0] == others[0]
    assert [record["loss_without"] for record in ours] != [
        record["loss_without"] for record in others
    ]


def test_weights_learn_from_one_half_and_architectures_are_measured_on_the_other():
    sampled = composed("search", "scheme=random_sharing")
    gdas = composed("search", "scheme=gdas")
    long_tail = load_long_tail(sampled.data, sampled.imbalance)
    of_weights, others = halves(sampled, long_tail)
    assert [part.tolist() for part in halves(gdas, long_tail)] == [
        of_weights.tolist(),
        others.tolist(),
    ]
    assert list(build_data(sampled, long_tail).streams) == ["weights"]
    labels = long_tail.train.labels.numpy()
    counts = np.bincount(labels)
    assert abs(np.bincount(labels[of_weights]) - counts / 2).max() <= 0.5
    # A class with a single image has it in both halves.
    assert all(counts[labels[sorted(set(of_weights) & set(others))]] == 1)
