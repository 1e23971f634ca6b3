"""Precision of convolutions in differences of passes."""

import pytest
import torch
from modules import batches, search_module

from ltnas import config as c
from ltnas.training.precision import exact_convolutions


@pytest.mark.parametrize("allowed", [True, False])
def test_the_setting_is_restored(allowed, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)

    def failing():
        with exact_convolutions():
            assert not torch.backends.cudnn.allow_tf32
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        failing()
    assert torch.backends.cudnn.allow_tf32 == allowed


CASES = [(c.FirstOrder(), True), (c.SecondOrder(), False)]


@pytest.mark.parametrize(("gradient", "rounded"), CASES)
def test_differences_of_passes_are_not_rounded(gradient, rounded, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    module, found = search_module(gradient=gradient), set()
    module.learner.model.register_forward_hook(
        lambda *_: found.add(torch.backends.cudnn.allow_tf32)
    )
    module.architecture_gradient(batches())
    assert found == {rounded}
