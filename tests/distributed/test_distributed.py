"""Two processes compute the same as one: sums, batch statistics, complete bilevel steps."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import torch
import torch.distributed as dist
from conftest import REPOSITORY
from modules import LEVELS, STREAMS, batches, masked_batches, search_module, whole_state
from torch import nn

from ltnas import config as c
from ltnas.data.stream import Batch, Partner
from ltnas.distributed.batch_norm import GlobalBatchNorm, synchronise_batch_norm
from ltnas.distributed.collectives import mean_over_ranks, sum_over_ranks
from ltnas.models.statistics import unmoved_statistics

SSL = c.BarlowTwins(hidden=8, outputs=6)
CASES = {
    "darts": {"nodes": 2, "operations": c.OPERATIONS},
    "darts_2nd": {"gradient": c.SecondOrder()},
    "darts_bbn": {"branches": c.TwoBranches(), "gradient": c.SecondOrder()},
    "fairdarts_ssl": {
        "objective": SSL,
        "relaxation": c.Sigmoid(0.1),
        "regulariser": c.ZeroOneL1(),
    },
    # Noise that all ranks draw alike, and signs of gradients, which are those of all ranks.
    "snas": {"relaxation": c.Gumbel(), "perturbation": c.RandomPerturbation(0.1)},
    "drnas": {
        "relaxation": c.Dirichlet(),
        "perturbation": c.AdversarialPerturbation(0.1, steps=2),
    },
    "gdas": {"relaxation": c.HardGumbel(), "design": {"separate_edges": True}},
    "b_darts": {"macro": c.BroadCells()},
    **{name: {"gradient": c.SecondOrder(), "levels": levels} for name, levels in LEVELS.items()},
    "class_balanced": {"objective": c.ClassBalanced(weight_normalisation="batch")},
    "mae_nas": {"objective": c.MaskedReconstruction(decoder_channels=8)},
}
BY_GLOO = ("snas", "gdas", "mae_nas")
"""Cases whose sums go through Gloo, as those of a run do.

The other cases sum 18,000 times, which takes Gloo 14 s; their sums go through a socket.
"""

SMALL = {"nodes": 1, "operations": ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3")}
"""Space of the cases that do not name another: the ranks meet at each normalisation."""


def make(case, **options):
    """Return the search module of a case."""
    return search_module(**{**SMALL, **CASES[case], **options})


def steps(case, rank, ranks):
    """Return the state after two bilevel steps on this rank's rows of each batch.

    The second one has momentum.
    """
    module = make(case, prepare=lambda learner: synchronise_batch_norm(learner, "cpu"))
    for step in range(2):
        data = (
            masked_batches(seed=step)
            if case == "mae_nas"
            else batches(1 + (case == "fairdarts_ssl"), seed=step, others=STREAMS.get(case, ()))
        )
        others = batches(seed=100 + step) if case == "darts_bbn" else {}
        rows = slice(rank, None, ranks)
        module.training_step(
            {name: rows_of_rank(batch, rows, others.get(name)) for name, batch in data.items()},
            step,
        )
    return whole_state(module)


def rows_of_rank(batch, rows, other):
    """Return a rank's rows of a batch and of its partner `other`, the second branch's batch."""
    partner = None
    if other is not None:
        views = tuple(view[rows] for view in other.views)
        partner = Partner(views, other.labels[rows], (torch.tensor(0.7),))
    return Batch(tuple(view[rows] for view in batch.views), batch.labels[rows], partner)


def connected(rank, folder):
    """Return a socket to the other rank."""
    with socket.socket(socket.AF_UNIX) as end:
        if rank == 0:
            end.bind(f"{folder}/socket")
            end.listen()
            dist.barrier()
            return end.accept()[0]
        dist.barrier()
        end.connect(f"{folder}/socket")
        return end.dup()


@contextmanager
def sums_over(connection, rank):
    """Let `dist.all_reduce` go through a socket: a twentieth of the time of Gloo's."""

    def all_reduce(tensor):
        assert tensor.is_contiguous()  # as Gloo requires
        other = torch.empty_like(tensor)
        if rank == 0:
            connection.sendall(tensor.numpy())
        received = memoryview(other.numpy()).cast("B")
        while received:
            received = received[connection.recv_into(received) :]
        if rank == 1:
            connection.sendall(tensor.numpy())
        tensor.add_(other)

    by_gloo, dist.all_reduce = dist.all_reduce, all_reduce
    try:
        yield
    finally:
        dist.all_reduce = by_gloo


def process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    results = {case: steps(case, rank, 2) for case in BY_GLOO}
    with connected(rank, folder) as connection, sums_over(connection, rank):
        results |= {case: steps(case, rank, 2) for case in CASES if case not in BY_GLOO}
    x = torch.arange(3.0, requires_grad=True)
    total = sum_over_ranks(x * (rank + 1))
    (gradient,) = torch.autograd.grad((total * (rank + 1)).sum(), x)
    results["sum"] = {"total": total.detach(), "gradient": gradient}
    means = mean_over_ranks([torch.full((2,), float(rank)), torch.full((1, 3), 2.0 * rank)])
    results["mean"] = {"vector": means[0], "matrix": means[1]}
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one(python, tmp_path):
    folders = (str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    ranks = [
        subprocess.Popen([python, __file__, str(rank), str(tmp_path)], env=environment)
        for rank in (0, 1)
    ]
    assert [rank.wait() for rank in ranks] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for case in CASES:
        alone = steps(case, 0, 1)
        start = whole_state(make(case))
        for name, value in first[case].items():
            assert value.equal(second[case][name]), f"{case}: ranks differ in {name}"
            torch.testing.assert_close(value, alone[name], rtol=1e-9, atol=1e-11)
        moved = [name for name in start if name.startswith("learner.model.architecture.")]
        assert len(moved) == 2
        assert not any(first[case][name].equal(start[name]) for name in moved)
    assert first["sum"]["total"].tolist() == [0.0, 3.0, 6.0]
    assert first["sum"]["gradient"].tolist() == [3.0, 3.0, 3.0]  # (1 + 2) times rank 0's factor
    assert second["sum"]["gradient"].tolist() == [6.0, 6.0, 6.0]
    assert first["mean"]["vector"].tolist() == [0.5, 0.5]
    assert first["mean"]["matrix"].shape == (1, 3)
    assert first["mean"]["matrix"].eq(1).all()


def test_global_batch_norm_is_batch_norm_for_one_process():
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(5).double()
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    model = nn.Sequential(nn.BatchNorm2d(5).double())
    model.load_state_dict({f"0.{name}": value for name, value in plain.state_dict().items()})
    synchronise_batch_norm(model, "cpu")
    assert isinstance(model[0], GlobalBatchNorm)
    for _ in range(2):
        x = torch.randn(4, 5, 3, 3, dtype=torch.float64) * 3 + 1
        torch.testing.assert_close(model(x), plain(x))
    model.eval()
    plain.eval()
    torch.testing.assert_close(model(x), plain(x))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[f"0.{name}"], value)


def test_global_batch_norm_can_keep_its_running_statistics_unchanged():
    model = nn.Sequential(nn.BatchNorm2d(3))
    synchronise_batch_norm(model, "cpu")
    x = torch.randn(4, 3, 2, 2) + 5
    with unmoved_statistics(model):
        model(x)
    assert model[0].running_mean.eq(0).all()
    assert model[0].num_batches_tracked == 0
    model(x)
    assert model[0].running_mean.gt(0.3).all()


def test_alone_nothing_is_exchanged():
    x = torch.randn(3, requires_grad=True)
    assert sum_over_ranks(x) is x
    assert mean_over_ranks([x])[0] is x


if __name__ == "__main__":
    process(int(sys.argv[1]), sys.argv[2])
