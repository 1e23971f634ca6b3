"""Time of the search steps beside the same steps in plain PyTorch, as in the original DARTS code.

    python -m benchmarks.search_step [device=cpu] [batch=16,64] [scheme=darts,fairdarts_ssl]
        [precision=32] [channels=16] [cells=8] [repeats=5] [out=]

Both supernets have cells of 4 nodes and 8 operations and start from the same weights. Peak memory
is measured in a separate process for each contender.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import harness
from benchmarks.plain import PlainSearch
from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.axes.regularisers import build_regulariser
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.kernels import Kernels, kernels
from ltnas.models.cell_design import CellDesign
from ltnas.models.search_network import build_search_network
from ltnas.models.stacking import plain_names, stack
from ltnas.objectives.build import build_objective
from ltnas.runs.memory import keep_freed_memory, peak_memory
from ltnas.space.layout import edges
from ltnas.training.learner import Learner
from ltnas.training.monitor import Pace
from ltnas.training.search_module import SearchModule
from ltnas.training.trainer import autocast
from tests.plain_supernet import Supernet as PlainSupernet

CLASSES, SIDE, NODES = 10, 32, 4
SCHEMES: dict[str, tuple[c.Relaxation, c.Objective, c.Regulariser]] = {
    "darts": (c.Softmax(), c.CrossEntropy(), c.NoRegulariser()),
    "fairdarts_ssl": (c.Sigmoid(), c.BarlowTwins(), c.ZeroOneL1()),
}
DEFAULTS = {
    "device": "cpu",
    "batch": "16,64",
    "scheme": "darts,fairdarts_ssl",
    "precision": "32",
    "channels": "16",
    "cells": "8",
    "repeats": "5",
    "checkpointed": "0",
    "out": "",
    "graphs": "off",
    "memory_of": "",
}


class Alone:
    """Stand-in for the trainer that only holds the optimisers."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers


class Ours(SearchModule):
    """Search module whose steps are called directly, without a trainer."""

    @property
    def trainer(self) -> Any:  # noqa: ANN401
        """Return the stand-in, of which the steps only use the optimisers."""
        return self.alone


def twice(batch: Batch) -> dict[str, Batch]:
    """Return one batch as those of both steps."""
    return {"architecture": batch, "weights": batch}


def build(scheme: str, words: dict[str, str]) -> tuple[PlainSearch, Ours]:
    """Return the plain and our contender with equal weights."""
    relaxation, objective, regulariser = SCHEMES[scheme]
    operations = list(c.OPERATIONS)
    relax = build_relaxation(relaxation, edges=len(edges(NODES)), operations=len(operations))
    shape = (operations, NODES, int(words["channels"]), int(words["cells"]), CLASSES)
    torch.manual_seed(0)
    plain = PlainSupernet(*shape, relax, relaxation.initial_deviation)
    fast = build_search_network(
        design=CellDesign(tuple(operations), NODES),
        channels=int(words["channels"]),
        cells=int(words["cells"]),
        classes=CLASSES,
        relaxation=relax,
        initial_deviation=relaxation.initial_deviation,
        checkpointed=words["checkpointed"] == "1",
    )
    names = {name: plain_names(name, operations, NODES) for name in fast.state_dict()}
    fast.load_state_dict(stack(plain.state_dict(), names))
    regularise, device = build_regulariser(regulariser), words["device"]
    counts, classifier = torch.ones(CLASSES), c.LinearClassifier()
    learners = [
        Learner(m, build_objective(objective, m.feature_size, counts, classifier))
        for m in (plain, fast)
    ]
    learners[1].objective.load_state_dict(learners[0].objective.state_dict())
    for learner in learners:
        learner.to(device)
    learners[1].to(memory_format=torch.channels_last)
    ours = Ours(
        learner=learners[1],
        regularise=regularise,
        gradient=c.FirstOrder(),
        schedule=c.Constant(),
        selection=c.Top2(),
        weights=c.WeightOptimiser(),
        architecture=c.ArchitectureOptimiser(),
        hessian_every=0,
        epochs=1,
        tests=TestSets(CLASSES, torch.arange(2), {}),
        seed=0,
        autocast=autocast("gpu" if device == "cuda" else "cpu", words["precision"]),
        pace=Pace(graphs=words["graphs"]),
    )
    ours.alone = Alone(ours.configure_optimizers())
    return PlainSearch(plain, learners[0].objective, regularise), ours


def batch_of(count: int, scheme: str, device: str) -> Batch:
    """Return a batch of noise images on the device, with the views that the scheme needs."""
    views = 2 if scheme == "fairdarts_ssl" else 1
    images = tuple(torch.randn(count, 3, SIDE, SIDE, device=device) for _ in range(views))
    return Batch(images, torch.randint(CLASSES, (count,), device=device))


def last(batch: Batch) -> Batch:
    """Return the batch in channels-last memory format, as the streams of this package do."""
    images = tuple(x.contiguous(memory_format=torch.channels_last) for x in batch.views)
    return Batch(images, batch.labels)


# --- counts and floors --------------------------------------------------------------------------


class Dispatched(TorchDispatchMode):
    """Counts the operations that PyTorch dispatches, except views, and calls of our kernels."""

    def __enter__(self) -> Dispatched:
        self.counts: Counter[str] = Counter()
        self.call = Kernels.__call__

        def counted(kernel: Kernels, *arguments: object) -> None:
            self.counts["kernel of the CPU"] += 1
            self.call(kernel, *arguments)

        Kernels.__call__ = counted  # type: ignore[method-assign,assignment]
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        Kernels.__call__ = self.call  # type: ignore[method-assign]
        super().__exit__(*error)

    def __torch_dispatch__(
        self,
        function: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if not function.is_view:
            self.counts[str(function.overloadpacket)] += 1
        return function(*args, **(kwargs or {}))


def kept_bytes(learner: Learner, batch: Batch) -> int:
    """Return the bytes of activations that our forward pass saves for the backward pass."""
    found: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        found[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x.detach()  # returning `x` would create a reference cycle with its graph

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        learner(batch)
    weights = {p.untyped_storage().data_ptr() for p in learner.parameters()}
    return sum(size for address, size in found.items() if address not in weights)


def floors(plain: PlainSearch, ours: Ours, batch: Batch, device: str) -> dict[str, float]:
    """Return lower bounds of the step times in ms, from memory traffic and arithmetic.

    Each saved activation is written and read in the forward pass, and read again with its gradient
    in the backward pass. The backward pass needs twice the arithmetic of the forward pass with
    gradients of the weights, and once without.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        plain.objective(plain.model, batch)
    operations = counter.get_total_flops()
    traffic = 4 * kept_bytes(ours.learner, last(batch)) / harness.bandwidth(device)
    arithmetic = operations / harness.peak(device)
    return {
        "weight": 1000 * max(traffic, 3 * arithmetic),
        "architecture": 1000 * max(traffic, 2 * arithmetic),
        "bilevel": 1000 * (max(traffic, 3 * arithmetic) + max(traffic, 2 * arithmetic)),
    }


def memory_apart(who: str, scheme: str, count: int, words: dict[str, str]) -> float:
    """Return the peak memory of one contender in GiB, measured in a separate process."""
    own = {**words, "scheme": scheme, "batch": str(count), "memory_of": who, "out": ""}
    command = [sys.executable, "-m", "benchmarks.search_step"]
    command += [f"{key}={value}" for key, value in own.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


# --- main ---------------------------------------------------------------------------------------


def works(plain: PlainSearch, ours: Ours, batch: Batch) -> dict[str, dict[str, Callable[[], Any]]]:
    """Return for each part of a step the work of both contenders."""
    own = last(batch)

    def both_plainly() -> None:
        plain.architecture_step(batch)
        plain.weight_step(batch)

    return {
        "weight": {
            "plain": lambda: plain.weight_step(batch),
            "ours": lambda: ours.weight_step(own),
        },
        "architecture": {
            "plain": lambda: plain.architecture_step(batch),
            "ours": lambda: ours.architecture_step(twice(own)),
        },
        "bilevel": {"plain": both_plainly, "ours": lambda: ours.bilevel_step(twice(own))},
    }


def measure(scheme: str, count: int, words: dict[str, str]) -> list[dict[str, Any]]:
    """Return one row of results for each part of a step."""
    device = words["device"]
    plain, ours = build(scheme, words)
    batch = batch_of(count, scheme, device)
    floor = floors(plain, ours, batch, device)
    memory = {who: memory_apart(who, scheme, count, words) for who in ("plain", "ours")}
    rows = []
    for part, contenders in works(plain, ours, batch).items():
        counts = {}
        for name, work in contenders.items():
            with Dispatched() as dispatched:
                work()
            counts[name] = dispatched.counts.total()
        times = harness.alternate(contenders, int(words["repeats"]), device, warm=1)
        medians = {name: statistics.median(found) for name, found in times.items()}
        rows.append(
            {
                "scheme": scheme,
                "batch": count,
                "part": part,
                "ratio": round(medians["plain"] / medians["ours"], 2),
                "floor_ms": round(floor[part], 1),
                "over_floor": round(medians["ours"] / floor[part], 2),
                **{name: harness.summary(found) for name, found in times.items()},
                "operations": counts,
                "memory_gib": {name: round(value, 2) for name, value in memory.items()},
            }
        )
    return rows


def main() -> None:
    """Measure all schemes and batch sizes, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    if words["device"] == "cpu":
        keep_freed_memory()
    counts = [int(count) for count in words["batch"].split(",")]
    if words["memory_of"]:
        plain, ours = build(words["scheme"], words)
        batch = batch_of(counts[0], words["scheme"], words["device"])
        works(plain, ours, batch)["bilevel"][words["memory_of"]]()
        print(peak_memory(torch.device(words["device"])))
        return
    rows = [
        row
        for scheme in words["scheme"].split(",")
        for count in counts
        for row in measure(scheme, count, words)
    ]
    harness.table(
        f"search steps in ms, {words['device']}, precision={words['precision']}, "
        f"kernels {'on' if kernels() else 'off'}; operations and GiB: plain/ours",
        ["scheme", "batch", "step", "plain", "ours", "ratio", "floor", "operations", "GiB"],
        [
            (
                row["scheme"].replace("fairdarts_ssl", "ssf-nas"),
                row["batch"],
                row["part"].replace("architecture", "architect."),
                row["plain"]["median_ms"],
                row["ours"]["median_ms"],
                row["ratio"],
                row["floor_ms"],
                f"{row['operations']['plain']}/{row['operations']['ours']}",
                f"{row['memory_gib']['plain']:.1f}/{row['memory_gib']['ours']:.1f}",
            )
            for row in rows
        ],
    )
    harness.write(words["out"], "search_step", words["device"], words, rows)


if __name__ == "__main__":
    main()
