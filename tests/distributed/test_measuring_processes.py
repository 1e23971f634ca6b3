"""Two processes prune a space, search in it and measure architectures as one process does."""

import contextlib
import datetime
import json
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from composed import composed
from conftest import REPOSITORY, TINY
from modules import batches, search_module, whole_state
from test_distributed import rows_of_rank

from ltnas import config as c
from ltnas.data.long_tail import load_long_tail
from ltnas.distributed.batch_norm import synchronise_batch_norm
from ltnas.space.edge_masks import edge_masks
from ltnas.space.genotype import load_genotype
from ltnas.training.evaluated_selection import select_by_measuring
from ltnas.training.shared_weights import SharedWeights
from ltnas.training.zero_shot import prune, recorded_masks

pytestmark = pytest.mark.usefixtures("unrendered")

PRUNED = (
    *("scheme=half_space", "space.nodes=1", "progression.scoring=saliency"),
    *("progression.channels=2", "progression.images=8", "progression.repeats=2"),
)
SELECTIONS = {
    "sampled": c.Sampled(images=8, candidates=4, finalists=2),
    "evolution": c.Evolution(images=8, candidates=4, finalists=2, population=2, tournament=2),
    "removal": c.Removal(images=8, tune_epochs=0),
}


def pruned_masks():
    """Return the masks of a space that this process has pruned."""
    config = composed("search", *PRUNED)
    long_tail = load_long_tail(config.data, config.imbalance)
    return prune(config, long_tail, edge_masks(config.space, config.macro.kinds)).masks


def searched(masks, rank, ranks):
    """Return a search module after two steps on this rank's rows of each batch."""
    module = search_module(
        nodes=1, masks=masks, prepare=lambda learner: synchronise_batch_norm(learner, "cpu")
    )
    for step in range(2):
        rows = slice(rank, None, ranks)
        data = batches(seed=step).items()
        module.training_step({name: rows_of_rank(part, rows, None) for name, part in data}, step)
    return module


def measured(network):
    """Return genotype and records of each selection, in plain types."""
    shared = SharedWeights(network, torch.device("cpu"), contextlib.nullcontext)
    seen = [batches(seed=9)["weights"]]
    found = {
        name: select_by_measuring(selection, shared, seen, seen, 0)
        for name, selection in SELECTIONS.items()
    }
    return {name: [genotype.to_json(), records] for name, (genotype, records) in found.items()}


def process(rank, ranks, folder):
    torch.set_num_threads(1)
    if ranks > 1:
        limit = datetime.timedelta(seconds=60)
        meet = f"file://{folder}/meet"
        dist.init_process_group("gloo", meet, rank=rank, world_size=ranks, timeout=limit)
    masks = pruned_masks()
    module = searched(masks, rank, ranks)
    # One rank after the other: a measurement that waited for the other ranks would never end.
    if rank:
        dist.barrier()
    selections = measured(module.network)
    if ranks > 1 and not rank:
        dist.barrier()
    result = {"masks": masks, "state": whole_state(module), "selections": selections}
    torch.save(result, f"{folder}/{rank}-of-{ranks}.pt")
    if ranks > 1:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(python, tmp_path_factory):
    """Results of the two ranks and of a process alone."""
    folder = tmp_path_factory.mktemp("ranks")
    folders = (str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    places = ("0", "2"), ("1", "2"), ("0", "1")
    started = [
        subprocess.Popen([python, __file__, *place, str(folder)], env=environment)
        for place in places
    ]
    assert [one.wait() for one in started] == [0, 0, 0]
    return [torch.load(folder / f"{rank}-of-{ranks}.pt") for rank, ranks in places]


def test_masks_are_the_same_to_the_bit(results):
    first, second, alone = (result["masks"] for result in results)
    assert first == second == alone
    assert all(sum(row) == 4 for mask in first.values() for row in mask)


def test_parameters_in_the_pruned_space_are_those_of_one_process(results):
    first, second, alone = (result["state"] for result in results)
    start = whole_state(search_module(nodes=1, masks=results[0]["masks"]))
    assert first.keys() == second.keys() == alone.keys()
    for name, value in first.items():
        assert value.equal(second[name]), f"ranks differ in {name}"
        torch.testing.assert_close(value, alone[name], rtol=1e-9, atol=1e-11)
    moved = [name for name in first if name.startswith("learner.model.architecture.")]
    assert len(moved) == 2
    assert not any(first[name].equal(start[name]) for name in moved)


@pytest.mark.parametrize("name", SELECTIONS)
def test_measurements_and_genotypes_are_those_of_one_process(results, name):
    first, second, alone = (result["selections"][name] for result in results)
    assert first == second
    assert first[0] == alone[0]
    for ours, theirs in zip(first[1], alone[1], strict=True):
        assert without_loss(ours) == without_loss(theirs)
        assert loss_of(ours) == pytest.approx(loss_of(theirs), rel=1e-9)


def loss_of(record):
    return next(value for name, value in record.items() if name.startswith("loss"))


def without_loss(record):
    return {name: value for name, value in record.items() if not name.startswith("loss")}


def test_a_search_by_two_processes_prunes_and_measures_once(ltnas, tmp_path):
    words = (*TINY, *PRUNED, "selection=removal", "selection.images=16", "channels=4")
    # The first process trains between decisions, when the second one has ended.
    words += ("selection.tune_epochs=1",)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = ltnas("search", *words, "trainer.devices=2", "runs=two", env=environment)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "two").iterdir()
    config = composed("search", *PRUNED)
    masks = recorded_masks(json.loads((folder / "pruning.json").read_text()), config.space)
    assert all(sum(row) == 4 for mask in masks.values() for row in mask)
    genotype, _ = load_genotype(str(folder))
    records = json.loads((folder / "selection.json").read_text())
    for kind in ("normal", "reduce"):
        # The last decisions are those on the two edges into the only node of each cell.
        kept = {(r["source"], r["operation"]) for r in records[-4:] if r["cell"] == kind}
        assert {(edge.source, edge.operation) for edge in genotype.cell(kind).edges} == kept
        for edge in genotype.cell(kind).edges:
            assert masks[kind][edge.source][config.space.operations.index(edge.operation)]


if __name__ == "__main__":
    process(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
