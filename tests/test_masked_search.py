"""Searches by masked reconstruction, as whole runs."""

import json

import pytest
import torch
from composed import composed

from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.data.long_tail import load_long_tail
from ltnas.errors import UserError
from ltnas.search import search
from ltnas.training.search_parts import build_data, build_search

pytestmark = pytest.mark.usefixtures("no_pictures")


def configured(*words):
    small = ("scheme=mae_nas", "space.nodes=2", "objective.decoder_channels=8", "batch_size=16")
    return composed("search", *small, *words)


def saved(folder):
    checkpoint = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    return checkpoint["state_dict"], checkpoint["optimizer_states"]


def test_killed_and_resumed_equals_never_killed(tmp_path, monkeypatch):
    words = ("epochs=3", "resume=auto")
    whole = search(configured(*words, f"runs={tmp_path / 'whole'}"))
    save = EpochCheckpoint.on_train_epoch_end

    def die(self, trainer, module):
        save(self, trainer, module)
        raise KeyboardInterrupt

    config = configured(*words, f"runs={tmp_path / 'again'}")
    with monkeypatch.context() as patch:
        patch.setattr(EpochCheckpoint, "on_train_epoch_end", die)
        with pytest.raises(KeyboardInterrupt):
            search(config)
    again = search(config)
    for name in ("history.csv", "genotypes.json", "genotype.json", "architecture.csv"):
        assert (again / name).read_bytes() == (whole / name).read_bytes(), name
    (state, optimisers), (expected, expected_optimisers) = saved(again), saved(whole)
    assert any(name.startswith("learner.objective.decoder.") for name in expected)
    assert [name for name, value in expected.items() if not value.equal(state[name])] == []
    assert str(optimisers) == str(expected_optimisers)


def test_one_decoder_serves_both_steps_and_is_no_part_of_the_network(tmp_path):
    config = configured(f"runs={tmp_path}", "epochs=1")
    module = build_search(config, "cpu", load_long_tail(config.data, config.imbalance))
    assert module.learner.architecture_objective is None
    metrics = json.loads((search(config) / "metrics.json").read_text())
    alphas = sum(value.numel() for value in module.network.architecture.values())
    weights = sum(value.numel() for value in module.network.parameters()) - alphas
    assert metrics["supernet_parameters"] == weights


class Standing:
    """Stands for the trainer: one process on the CPU."""

    global_rank, world_size = 0, 1

    class strategy:
        root_device = torch.device("cpu")


def test_each_step_has_masks_of_its_own():
    config = configured("objective.mask_ratio=0.75", "objective.patch=2")
    data = build_data(config, load_long_tail(config.data, config.imbalance))
    data.trainer = Standing()
    data.setup("fit")
    batches, _, _ = next(iter(data.train_dataloader()))
    masks = [batch.views[1] for batch in batches.values()]
    assert [mask.shape for mask in masks] == [(16, 1, 8, 8)] * 2
    assert all(mask.sum((1, 2, 3)).eq(48).all() for mask in masks)
    assert not masks[0].equal(masks[1])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("objective.patch=3",), "does not divide images of 8x8 pixels: take objective.patch=2"),
        (("objective.mask_ratio=0.1",), "masks 0 of the 4 patches"),
        (
            ("architecture_objective=masked_reconstruction", "architecture_objective.patch=8"),
            "masks 0 of the 1 patches",
        ),
    ],
)
def test_sizes_are_refused_before_there_is_a_run_folder(words, message, tmp_path):
    with pytest.raises(UserError, match=message):
        search(configured(*words, f"runs={tmp_path / 'runs'}"))
    assert not (tmp_path / "runs").exists()
