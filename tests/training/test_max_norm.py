"""Limit for the norms of a classifier's rows, with numbers computed by hand."""

import pytest
import torch
from composed import composed
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close

from ltnas.retrain import retrain
from ltnas.training.max_norm import MaxNorm
from ltnas.training.retrain_module import RetrainModule

ROWS = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
"""Rows with the norms 5, 1 and 10."""


@pytest.mark.parametrize(("share", "limit"), [(0.0, 1.0), (0.1, 1.9), (0.5, 5.5), (1.0, 10.0)])
def test_the_limit_lies_between_the_smallest_and_the_largest_norm(share, limit):
    assert_close(MaxNorm(ROWS, share).limit, torch.tensor(limit))


def test_longer_rows_are_scaled_to_the_limit_and_others_stay():
    weight = nn.Parameter(ROWS.clone())
    MaxNorm(ROWS, 0.5).project(weight)
    # 5.5 / 10 of (6, 8).
    assert_close(weight.data, torch.tensor([[3.0, 4.0], [0.0, 1.0], [3.3, 4.4]]))
    assert torch.equal(weight.data[:2], ROWS[:2])


def test_a_row_of_zeros_stays():
    weight = torch.zeros(2, 3)
    MaxNorm(weight, 0.5).project(weight)
    assert torch.equal(weight, torch.zeros(2, 3))


def test_the_limit_is_that_of_the_start_of_the_stage():
    limits = MaxNorm(ROWS, 0.5)
    weight = 10 * ROWS
    limits.project(weight)
    assert_close(weight.norm(dim=1), torch.tensor([5.5, 5.5, 5.5]))
    resumed = MaxNorm(weight, 0.5)
    resumed.load_state_dict(limits.state_dict())
    assert_close(resumed.limit, torch.tensor(5.5))


class Killed(Exception):
    """Error that ends a process in the middle of a stage."""


def trained(root, *words):
    """Folder of a training with a second stage of two epochs."""
    network = ("network=resnet20", "network.depth=8", "network.width=4", "epochs=1")
    second = ("crt.epochs=2", "crt.fresh=false", "crt.max_norm=0.25", "limit_batches=3")
    return retrain(composed("retrain", f"runs={root}", *network, *second, *words))


def test_a_second_stage_keeps_to_the_limit_also_if_it_is_resumed(
    tmp_path, monkeypatch, no_pictures
):
    whole = trained(tmp_path / "whole")
    step = RetrainModule.training_step

    def killed_later(self, batches, index):
        if self.max_norm is not None and self.current_epoch == 1 and index == 1:
            raise Killed
        step(self, batches, index)

    with monkeypatch.context() as patch:
        patch.setattr(RetrainModule, "training_step", killed_later)
        with pytest.raises(Killed):
            trained(tmp_path / "killed")
    resumed = trained(tmp_path / "killed", "resume=auto")
    first = torch.load(whole / "checkpoint.ckpt", weights_only=True)["state_dict"]
    norms = first["learner.model.classifier.weight"].square().sum(1).sqrt()
    limit = norms.min() + 0.25 * (norms.max() - norms.min())
    weights = load_file(whole / "network.safetensors")
    found = weights["classifier.weight"].norm(dim=1)
    assert found.max() <= limit * 1.00001
    assert (norms > limit).sum() >= 5
    again = load_file(resumed / "network.safetensors")
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
