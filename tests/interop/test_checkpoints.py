"""State dicts in checkpoints of all kinds."""

import warnings

import pytest
import torch

from ltnas.errors import UserError
from ltnas.interop.checkpoints import unwrapped

STATE = {"classifier.weight": torch.ones(2, 3), "stem.1.num_batches_tracked": torch.tensor(4)}


def test_a_state_dict_is_taken_as_it_is():
    with warnings.catch_warnings(action="error"):
        assert unwrapped(STATE) == STATE


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_what_lies_beside_a_state_dict_is_left_out_and_told(key):
    checkpoint = {"epoch": 3, key: STATE, "optimizer": {"state": {}}, "best_acc_top1": 97.2}
    with pytest.warns(UserWarning, match="^left out") as told:
        assert unwrapped(checkpoint) == STATE
    (warning,) = told
    assert str(warning.message) == "left out of the checkpoint: epoch, optimizer, best_acc_top1"


def test_counters_of_operations_are_left_out_and_told_once():
    counted = dict(STATE)
    for module in ("", "cells.0.", "cells.1._ops.0."):
        counted |= {f"{module}total_ops": torch.zeros(1), f"{module}total_params": torch.zeros(1)}
    with pytest.warns(UserWarning, match="^left out of the checkpoint: total_ops, total_params$"):
        assert unwrapped(counted) == STATE


@pytest.mark.parametrize(
    ("checkpoint", "named"),
    [({}, "but nothing"), ({"epoch": 3, "arch": "x"}, "but epoch, arch: give a state dict")],
)
def test_a_checkpoint_without_tensors(checkpoint, named):
    with pytest.raises(UserError, match=named):
        unwrapped(checkpoint)
