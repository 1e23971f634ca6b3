"""Radius of sharpness-aware steps over the epochs."""

import pytest
from composed import composed

from ltnas.retrain import retrain
from ltnas.training import retrain_module
from ltnas.training.sharpness import Sharpness


def test_a_radius_changes_once():
    """Wang et al. 2023 take 0.1 in epochs 1 to 320 of 400, then 0.2."""
    sharpness = Sharpness(first=0.1, factor=2.0, step=0.8)
    radii = [sharpness.radius(epoch / 400) for epoch in range(400)]
    assert radii == [0.1] * 320 + [0.2] * 80
    assert sharpness.is_on


@pytest.mark.parametrize("first", [0.0, 0.1])
def test_a_radius_without_a_factor_stays(first):
    sharpness = Sharpness(first=first)
    assert [sharpness.radius(epoch / 10) for epoch in range(10)] == [first] * 10
    assert sharpness.is_on is (first > 0)


@pytest.mark.parametrize(("factor", "radii"), [(3, [0.1, 0.1, 0.3]), (1, [0.1] * 3)])
def test_the_steps_of_a_training_have_the_radius_of_their_epoch(
    factor, radii, tmp_path, monkeypatch, no_pictures
):
    found, descend = [], retrain_module.sharpness_aware_descend

    def noted(*arguments, radius, **settings):
        found.append(float(radius))
        descend(*arguments, radius=radius, **settings)

    monkeypatch.setattr(retrain_module, "sharpness_aware_descend", noted)
    network = ("network=resnet20", "network.depth=8", "network.width=4", "limit_test_batches=1")
    steps = ("epochs=3", "limit_batches=1", "sharpness=0.1", f"sharpness_factor={factor}")
    words = (f"runs={tmp_path}", *network, *steps, "sharpness_step=0.6")
    retrain(composed("retrain", *words))
    assert found == pytest.approx(radii)
