"""Zero-one losses compared with values of xiaomi-automl/FairDARTS, fairdarts/separate_loss.py.

The authors' code was run in float64 on sigmoids of 14 edges with 7 operations in each kind of cell.
"""

import pytest
import torch
from official_inputs import norm, numbers, waves

from ltnas.axes.masks import EdgeMasks
from ltnas.axes.regularisers import zero_one_l1, zero_one_l2
from ltnas.config import ZeroOneL1, ZeroOneL2

EVERYTHING = EdgeMasks(dict.fromkeys(("normal", "reduce"), ((True,) * 7,) * 14))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (
            zero_one_l1,
            "-0.3410278462 0.009735368305 -0.0005073787433 -0.000230636581 "
            "0.0002778809957 -0.001054224222 0.001164304297 0.0008790882189 0.0003874809333",
        ),
        (
            zero_one_l2,
            "-0.1308511847 0.004906340598 -0.0003937386758 -0.0002087459728 "
            "0.0002457544868 -0.0004391045864 0.0003437862164 0.0004900826832 0.0003233121376",
        ),
    ],
)
def test_value_and_gradient(term, expected):
    """Value, norm of the gradient, and gradient of the last edge of the reduction cell."""
    parameters = [(3 * waves(14, 7, start=start)).requires_grad_() for start in (0, 1)]
    normal, reduce = (values.sigmoid() for values in parameters)
    value = term({"normal": normal, "reduce": reduce}, EVERYTHING)
    gradients = torch.autograd.grad(value, parameters)
    found = [value.item(), norm(gradients), *gradients[1][13].tolist()]
    assert found == pytest.approx(numbers(expected), rel=1e-8)


def test_weights():
    """The authors' code weighs its default, the form with squares, by 10."""
    assert (ZeroOneL1().weight, ZeroOneL2().weight) == (1, 10)
