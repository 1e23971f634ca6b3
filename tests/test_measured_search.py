"""A search without architecture parameters, end to end: MSR-DARTS."""

import csv
import json

import pytest
import torch
from composed import composed, refusal
from modules import batches, search_module
from safetensors.torch import load_file

from ltnas import config as c
from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.data.long_tail import load_long_tail
from ltnas.diagnostics.ranks import build_measure, supernet_ranks
from ltnas.search import search
from ltnas.space.genotype import Edge, load_genotype
from ltnas.space.layout import edges
from ltnas.training.search_parts import build_search

pytestmark = pytest.mark.usefixtures("unrendered")
FILES = ("history.csv", "architecture.csv", "genotypes.json", "genotype.json")


def configured(runs, *arguments):
    words = ("scheme=msr_darts", "space.nodes=2", "batch_size=32", f"runs={runs}")
    return composed("search", *words, *arguments)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run folder of a search of two epochs."""
    return search(configured(tmp_path_factory.mktemp("runs")))


def rows(folder, name):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def last_ranks(folder):
    """Ranks of the weights in the checkpoint of a run, by kind of cell."""
    config = configured(folder.parent)
    module = build_search(config, "cpu", load_long_tail(config.data, config.imbalance))
    state = torch.load(folder / "checkpoint.ckpt", weights_only=True)["state_dict"]
    module.load_state_dict(state)
    return supernet_ranks(module.network.supernet)


def test_files_have_the_ranks_of_the_last_weights(run):
    found = load_file(run / "architecture.safetensors")
    wanted = last_ranks(run)
    assert set(found) == {"ranks_normal", "ranks_reduce"}
    written = rows(run, "architecture.csv")
    for kind, ranks in wanted.items():
        assert found[f"ranks_{kind}"].equal(ranks)
        weights = [
            float(row["weight"]) for row in written if (row["epoch"], row["cell"]) == ("1", kind)
        ]
        assert torch.tensor(weights).view_as(ranks).equal(torch.softmax(-ranks, -1))


def test_genotype_has_the_smallest_ranks(run):
    ranks = load_file(run / "architecture.safetensors")
    genotype, _ = load_genotype(str(run))
    names = composed("search", "space=convolutions").space.operations
    layout = edges(2)
    for kind in ("normal", "reduce"):
        smallest, columns = ranks[f"ranks_{kind}"].min(-1)
        # Node 2 has the edges 0 and 1; node 3 the two best of the edges 2, 3 and 4.
        best = [0, 1, *(2 + smallest[2:].argsort()[:2]).tolist()]
        wanted = {Edge(names[columns[row]], *layout[row]) for row in best}
        assert set(genotype.cell(kind).edges) == wanted


def test_history_has_no_architecture_steps(run):
    columns = set(rows(run, "history.csv")[0])
    assert not columns & {"architecture_loss", "architecture_rate", "largest_eigenvalue"}
    assert {"entropy_normal", "discretisation_distance", "accuracy_balanced"} <= columns
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] == 2
    assert metrics["skip_connections"] == 0


def test_weights_are_trained_on_all_images(tmp_path):
    config = configured(tmp_path)
    long_tail = load_long_tail(config.data, config.imbalance)
    module = build_search(config, "cpu", long_tail)
    assert module.network.named_architecture() == {}
    assert len(module.configure_optimizers()) == 1
    assert set(module.learner.weights()) == {name for name, _ in module.learner.named_parameters()}
    assert module.learner.architecture_objective is None


def test_ranks_are_measured_at_the_start_of_an_epoch_and_at_its_end():
    module = search_module(relaxation=c.StableRank(), gradient=c.NoGradient())
    module.measure = build_measure(c.StableRank(), 8)
    module.alone.max_epochs = 2
    network = module.network

    def measured():
        return {kind: values.clone() for kind, values in network.relaxation.measured().items()}

    def now():
        return supernet_ranks(network.supernet)

    def equal(one, other):
        return all(one[kind].equal(other[kind]) for kind in ("normal", "reduce"))

    module.on_train_epoch_start()
    start = measured()
    assert equal(start, now())
    module.training_step(batches(), 0)
    assert not equal(now(), start)
    assert equal(measured(), start)
    assert module.architecture().mixing["normal"].equal(network.expected_weights()["normal"])
    end = measured()
    assert equal(end, now())
    module.training_step(batches(seed=1), 1)
    module.architecture()  # has been read in this epoch
    assert equal(measured(), end)
    module.on_train_epoch_start()
    assert equal(measured(), now())


class Killed(Exception):
    """Stands for the end of the process: nothing but files is left."""


def test_resumed_after_an_epoch_equals_never_stopped(run, tmp_path, monkeypatch):
    save = EpochCheckpoint.on_train_epoch_end

    def die(self, trainer, module):
        save(self, trainer, module)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(EpochCheckpoint, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            search(configured(tmp_path))
    (folder,) = tmp_path.glob("search-*")
    assert not (folder / "metrics.json").exists()
    assert search(configured(tmp_path, "resume=auto")) == folder
    for name in FILES:
        assert (folder / name).read_bytes() == (run / name).read_bytes(), name
    ours, theirs = (load_file(path / "architecture.safetensors") for path in (folder, run))
    assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_refusals_name_what_to_take():
    assert "take gradient=none" in refusal("search", "scheme=msr_darts", "gradient=first_order")
    assert "take space=convolutions" in refusal("search", "scheme=msr_darts", "space=darts")
