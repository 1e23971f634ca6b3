"""Class weights: published numbers, limits, and unknown formulas."""

import pytest
import torch

from ltnas import config as c
from ltnas.losses.weights import class_weights, effective_number, inverse_frequency

EXP = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])


def test_effective_numbers_of_the_exponential_tail():
    """Weights of the second stage of LDAM-DRW for CIFAR-10 with mu = 0.01."""
    expected = [0.051, 0.077, 0.121, 0.195, 0.319, 0.525, 0.868, 1.443, 2.409, 3.993]
    torch.testing.assert_close(
        effective_number(EXP, 0.9999), torch.tensor(expected).double(), atol=6e-4, rtol=0
    )


def test_effective_numbers_of_a_step():
    weights = effective_number(torch.tensor([5000] * 5 + [50] * 5), 0.9999)
    assert weights[0] == pytest.approx(0.025, abs=6e-4)
    assert weights[9] == pytest.approx(1.975, abs=6e-4)


def test_effective_numbers_are_their_sum():
    """E_n is 1 + beta + ... + beta^(n - 1)."""
    weights = effective_number(EXP, 0.99)
    numbers = torch.tensor([sum(0.99**i for i in range(n)) for n in EXP.tolist()]).double()
    torch.testing.assert_close(weights * numbers, (weights * numbers)[:1].expand(10))


def test_limits_of_beta():
    torch.testing.assert_close(effective_number(EXP, 0.0), torch.ones(10).double())
    torch.testing.assert_close(effective_number(EXP, 1.0), inverse_frequency(EXP, 1.0))
    torch.testing.assert_close(
        effective_number(EXP, 1 - 1e-12), inverse_frequency(EXP, 1.0), rtol=1e-3, atol=0
    )


def test_inverse_frequency():
    weights = inverse_frequency(EXP, 1.0)
    torch.testing.assert_close(weights * EXP, (weights * EXP)[:1].expand(10))
    torch.testing.assert_close(inverse_frequency(EXP, 0.0), torch.ones(10).double())
    roots = inverse_frequency(EXP, 0.5)
    torch.testing.assert_close(roots[9] / roots[0], torch.tensor(10.0).double())


EXP10 = torch.tensor([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500])


@pytest.mark.parametrize(("counts", "t", "ratio"), [(EXP, 0.15, 1.99526), (EXP10, 0.1, 1.25893)])
def test_aligned_weights_of_wang_et_al(counts, t, ratio):
    """ADRW: pi_c^-t, divided so that they sum to C; 100^0.15 and 10^0.1 from class to class."""
    n = counts.tolist()
    powers = [(one / sum(n)) ** -t for one in n]
    expected = [10 * power / sum(powers) for power in powers]
    scale = {"weight_normalisation": "classes"}
    config = c.VectorScaling(reweight="inverse_frequency", exponent=t, start=0.8, **scale)
    found = class_weights(config, counts)
    torch.testing.assert_close(found, torch.tensor(expected).double())
    assert float(found[9] / found[0]) == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("weigh", [effective_number, inverse_frequency])
@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_weights_have_mean_one_and_balanced_classes_have_none(weigh, constant):
    torch.testing.assert_close(weigh(EXP, constant).mean(), torch.tensor(1.0).double())
    torch.testing.assert_close(weigh(torch.full((7,), 30), constant), torch.ones(7).double())


EXP_01 = torch.tensor([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500])


@pytest.mark.parametrize(("counts", "mean"), [(EXP, 0.171), (EXP_01, 0.623)])
def test_the_mean_weight_of_an_image_is_one(counts, mean):
    """Means over images of the weights of Cui et al. 2019, which have mean 1 over classes."""
    by_classes = class_weights(c.ClassBalanced(weight_normalisation="classes"), counts)
    assert by_classes.mean() == pytest.approx(1)
    assert (counts * by_classes).sum() / counts.sum() == pytest.approx(mean, abs=5e-4)
    by_images = class_weights(c.ClassBalanced(), counts)
    assert (counts * by_images).sum() / counts.sum() == pytest.approx(1)
    torch.testing.assert_close(by_images / by_images[0], by_classes / by_classes[0])


@pytest.mark.parametrize(
    ("reweight", "expected"),
    [
        ("none", torch.ones(10).double()),
        ("inverse_frequency", inverse_frequency(EXP, 0.5)),
        ("effective_number", effective_number(EXP, 0.99)),
    ],
)
def test_an_objective_chooses_the_formula(reweight, expected):
    config = c.Focal(reweight=reweight, exponent=0.5, beta=0.99, weight_normalisation="classes")
    assert torch.equal(class_weights(config, EXP), expected)


@pytest.mark.parametrize("key", ["reweight", "weight_normalisation"])
def test_an_unknown_formula_is_refused(key):
    config = c.CrossEntropy()
    setattr(config, key, "by_colour")  # the constructor would refuse it, too
    with pytest.raises(ValueError, match=rf"by_colour is not a value of objective\.{key}"):
        class_weights(config, EXP)
