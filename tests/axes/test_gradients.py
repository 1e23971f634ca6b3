"""Values on the axis of architecture gradients."""

import pytest
import torch

from ltnas import config as c
from ltnas.axes.chains import Stage, WeightStep
from ltnas.axes.gradients import architecture_gradient


def test_values_of_the_axis_choose_the_formula():
    """On the toy of DARTS, figure 2."""
    weights = {"w": torch.tensor(-2.0, dtype=torch.float64)}
    architecture = {"alpha": torch.tensor(2.0, dtype=torch.float64, requires_grad=True)}
    step = WeightStep(rate=0.5, momentum=0.0, weight_decay=0.0, velocity={})

    def training(values, architecture):
        return (values["net"]["w"] - architecture["alpha"]) ** 2

    def validation(values, architecture):
        return architecture["alpha"] * values["net"]["w"] - 2 * architecture["alpha"] + 1

    def gradient(config):
        return architecture_gradient(
            config,
            stages=lambda: [Stage("net", training, step)],
            outer=validation,
            weights=lambda: {"net": weights},
            values=lambda: {"net": weights},
            architecture=architecture,
            average=list,
        )

    assert float(gradient(c.FirstOrder())["alpha"]) == -4.0
    # w' = w - 0.5 (2 w - 2 alpha) = 2, so that dL_val/dalpha = w' - 2, and by the chain rule
    # dw'/dalpha dL_val/dw' = 1 * alpha.
    assert float(gradient(c.SecondOrder())["alpha"]) == pytest.approx(2.0, abs=1e-9)
    with pytest.raises(TypeError, match="gradient axis"):
        gradient(c.Gradient())
