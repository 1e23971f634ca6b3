"""Whole steps as CUDA graphs: a step is recorded once and then replayed by a single launch.

A bilevel step has thousands of small operations, each of which the host would have to dispatch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ltnas.data.stream import Batch
from ltnas.distributed.collectives import ranks
from ltnas.errors import UserError

Batches = dict[str, Batch]
Notes = dict[str, Tensor]
"""Scalars that a step measures, by name."""
Step = Callable[[Batches], Notes]

EAGER_STEPS = 3
"""Steps before the recording. They create the optimisers' state and let the libraries choose their
algorithms, neither of which may happen in a recording. They are steps of the run like all others.
"""


class StepRunner(Protocol):
    """Runs steps, which always are the same function of the batches, one after another."""

    def __call__(self, step: Step, batches: Batches) -> Notes:
        """Take a step and return what it measures."""
        ...


class Graph(Protocol):
    """The part of `torch.cuda.CUDAGraph` that is used here."""

    def replay(self) -> None:
        """Run what was recorded."""
        ...


def run_eagerly(step: Step, batches: Batches) -> Notes:
    """Take a step operation by operation."""
    return step(batches)


class GraphRunner:
    """Takes the first steps operation by operation, records the next one, and replays it from then.

    What a step reads must lie in the same memory each time: batches are copied into buffers, and
    learning rates, schedules and probabilities are tensors that are filled in place.

    Args:
        make_graph: makes an empty graph.
        recording: makes the context within which operations are recorded into a graph.
    """

    def __init__(
        self,
        make_graph: Callable[[], Graph],
        recording: Callable[[Graph], AbstractContextManager[object]],
    ) -> None:
        self._make_graph, self._recording = make_graph, recording
        self._eager_steps = 0
        self._graph: Graph | None = None
        self._fails = False
        self._buffers: Batches = {}
        self._notes: Notes = {}

    def __call__(self, step: Step, batches: Batches) -> Notes:
        """See `StepRunner`."""
        if self._eager_steps < EAGER_STEPS:
            self._eager_steps += 1
            return step(batches)
        if self._graph is None and not self._fails:
            self._record(step, batches)
        if self._fails:
            return step(batches)
        if _shapes(self._buffers) != _shapes(batches):
            return step(batches)  # a batch of another size, which the recording does not fit
        assert self._graph is not None
        for buffer, value in zip(_tensors(self._buffers), _tensors(batches), strict=True):
            buffer.copy_(value, non_blocking=True)
        self._graph.replay()
        # The next replay overwrites the recorded tensors.
        return {name: value.clone() for name, value in self._notes.items()}

    @property
    def recorded(self) -> bool:
        """True if there is a recording."""
        return self._graph is not None

    def _record(self, step: Step, batches: Batches) -> None:
        """Record a step without taking it."""
        self._buffers = {name: batch.clone() for name, batch in batches.items()}
        graph = self._make_graph()
        try:
            with self._recording(graph):
                self._notes = step(self._buffers)
        except RuntimeError as error:
            # The end of a failed CUDA recording raises an error of its own, and PyTorch can then
            # neither draw random numbers nor free the memory of the recording.
            cause = error.__context__ or error
            reason = str(cause).strip().splitlines()[0]
            if error.__context__ is not None:
                raise UserError(
                    f"a step cannot be recorded as a CUDA graph ({reason}): the same command with "
                    "graphs=off resume=auto goes on without"
                ) from error
            # Refused before it reached the GPU: nothing has run, and the step can be taken.
            self._fails = True
            print(f"note: steps run without CUDA graphs ({reason})", file=sys.stderr)
        else:
            self._graph = graph


def _tensors(batches: Batches) -> Iterator[Tensor]:
    """Yield the tensors of all batches, in the order of their names."""
    return (tensor for name in sorted(batches) for tensor in batches[name].tensors())


def _shapes(batches: Batches) -> list[torch.Size]:
    return [tensor.shape for tensor in _tensors(batches)]


def build_runner(graphs: str, device: torch.device) -> StepRunner:
    """Return the runner of the steps of a run.

    Steps of several processes run eagerly: a recording would have to hold their exchanges, too.

    Args:
        graphs: `auto` for CUDA graphs where there is a GPU, or `off`.
        device: device of the model.
    """
    if graphs == "off" or device.type != "cuda" or ranks() > 1:
        return run_eagerly
    # Other threads may read images ahead and copy them to the device meanwhile.
    record = partial(torch.cuda.graph, capture_error_mode="thread_local")
    return GraphRunner(torch.cuda.CUDAGraph, record)
