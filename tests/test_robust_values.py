"""Values that make a search robust, in whole runs: together, resumed, and recorded."""

import csv

import pytest
import torch
from composed import composed
from safetensors.torch import load_file

from ltnas.callbacks.checkpoint import EpochCheckpoint
from ltnas.search import search

ADVERSARIAL = ("perturbation=adversarial", "perturbation.steps=2", "perturbation.first_epsilon=0.1")
OLES = ("operation_stopping=oles", "operation_stopping.steps=3", "operation_stopping.threshold=0.7")
VALUES = (*ADVERSARIAL, *OLES, "regulariser=cost")
SMALL = ("space.nodes=2", "collapse.hessian_every=0", "limit_test_batches=1", "batch_size=16")
SCHEMES = {
    "darts_2nd": (),
    "darts_minus": (),
    "pc_darts": ("batch_size=16", "space.nodes=2"),
    "drnas": ("scheme=darts", "relaxation=dirichlet"),
    "fairdarts_ssl": ("objective.hidden=8", "objective.outputs=6", "checkpoint_cells=true"),
    "mae_nas": ("objective.decoder_channels=8", "checkpoint_cells=true"),
    "edges": (
        *("scheme=darts", "relaxation=dirichlet", "space.nodes=1"),
        "space.normal_edges=[[none,sep_conv_3x3],[skip_connect,dil_conv_3x3]]",
    ),
    "darts_bbn": ("objective=gradient_harmonising",),
}
"""Further words for the schemes that the values are combined with."""


def rows(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_values_compose_with_all_others(scheme, tmp_path):
    words = SCHEMES[scheme]
    named = () if "scheme=darts" in words else (f"scheme={scheme}",)
    folder = search(composed("search", *named, *SMALL, *words, *VALUES, f"runs={tmp_path}"))
    first, last = rows(folder)
    assert (float(first["perturbation"]), float(last["perturbation"])) == pytest.approx((0.1, 0.2))
    # The third step, the first of the second epoch, ends a window.
    assert int(first["frozen_operations"]) == 0
    assert "architecture_loss" in last


@pytest.mark.parametrize("relaxation", ["hard_gumbel", "gumbel"])
def test_what_is_not_perturbed_can_be_stopped_and_regularised(relaxation, tmp_path):
    words = ("scheme=darts", f"relaxation={relaxation}", *SMALL, *OLES, "regulariser=cost")
    folder = search(composed("search", *words, f"runs={tmp_path}"))
    assert int(rows(folder)[-1]["frozen_operations"]) >= 0


def test_weights_that_are_measured_can_be_perturbed(tmp_path):
    words = ("scheme=msr_darts", *SMALL, *ADVERSARIAL)
    folder = search(composed("search", *words, f"runs={tmp_path}"))
    assert float(rows(folder)[-1]["perturbation"]) == pytest.approx(0.2)


def test_the_cost_can_be_a_term_of_a_search_of_one_level(tmp_path):
    found = {}
    for weight in (0.0, 10.0):
        words = ("scheme=snas", *SMALL, "regulariser=cost", f"regulariser.weight={weight}")
        folder = search(composed("search", *words, f"runs={tmp_path / str(weight)}"))
        found[weight] = load_file(folder / "architecture.safetensors")
    assert not found[0.0]["normal"].equal(found[10.0]["normal"])


def saved(folder):
    state = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    return state["state_dict"], state["optimizer_states"]


def test_killed_and_resumed_equals_never_killed(tmp_path, monkeypatch):
    """The windows of OLES do not end with the epochs, and some operations are frozen in time."""
    words = ("scheme=darts", *SMALL, *VALUES, "epochs=4", "limit_batches=4", "resume=auto")
    whole = search(composed("search", *words, f"runs={tmp_path / 'whole'}"))
    save = EpochCheckpoint.on_train_epoch_end

    def die(self, trainer, module):
        save(self, trainer, module)
        if trainer.current_epoch in (0, 2):
            raise KeyboardInterrupt

    config = composed("search", *words, f"runs={tmp_path / 'again'}")
    with monkeypatch.context() as patch:
        patch.setattr(EpochCheckpoint, "on_train_epoch_end", die)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                search(config)
    again = search(config)
    for name in ("history.csv", "genotypes.json", "architecture.csv"):
        assert (again / name).read_bytes() == (whole / name).read_bytes()
    counts = [int(row["frozen_operations"]) for row in rows(again)]
    assert counts == sorted(counts)
    assert 0 < counts[-1] < 60
    (state, optimisers), (expected, expected_optimisers) = saved(again), saved(whole)
    assert [name for name, value in expected.items() if not value.equal(state[name])] == []
    assert str(optimisers) == str(expected_optimisers)
