"""Each loss compared with its formula, typed again from the paper, and properties of all."""

import math

import pytest
import torch

from ltnas.losses.classification import (
    CrossEntropy,
    Focal,
    GradientHarmonising,
    LabelAwareSmoothing,
    Ldam,
    VectorScaling,
    margins,
    smoothing,
)

COUNTS = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])
BALANCED = torch.full((10,), 500)
CRITERIA = {
    "cross_entropy": CrossEntropy(),
    "focal": Focal(2.0),
    "ldam": Ldam(COUNTS, 0.5, 30.0),
    "logit_adjusted": VectorScaling(COUNTS, 1.0, 0.0),
    "vector_scaling": VectorScaling(COUNTS, 1.25, 0.15),
    "gradient_harmonising": GradientHarmonising(10, 0.0),
    "label_aware_smoothing": LabelAwareSmoothing(COUNTS, 0.3, 0.0),
}


@pytest.fixture
def batch():
    """Logits [64, 10] and labels [64]."""
    torch.manual_seed(0)
    return torch.randn(64, 10).double() * 3, torch.randint(10, (64,))


def formula(logits, labels, image_loss):
    """Loss of each image by a function of its logits (a list) and its label."""
    pairs = zip(logits.tolist(), labels.tolist(), strict=True)
    return torch.tensor([image_loss(z, y) for z, y in pairs]).double()


def log_p(z, y):
    return z[y] - math.log(sum(math.exp(value) for value in z))


def test_cross_entropy(batch):
    expected = formula(*batch, lambda z, y: -log_p(z, y))
    torch.testing.assert_close(CrossEntropy()(*batch), expected)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal(batch, gamma):
    expected = formula(*batch, lambda z, y: -((1 - math.exp(log_p(z, y))) ** gamma) * log_p(z, y))
    torch.testing.assert_close(Focal(gamma)(*batch), expected)
    torch.testing.assert_close(Focal(0.0)(*batch), CrossEntropy()(*batch))


def test_focal_has_a_finite_gradient_where_p_is_one():
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    Focal(0.5)(logits, torch.tensor([0])).sum().backward()
    assert logits.grad.abs().max() < 1e-3


def test_margins_of_the_exponential_tail():
    deltas = margins(COUNTS, 0.5)
    assert deltas[0] == pytest.approx(0.1581, abs=1e-4)
    assert deltas[9] == deltas.max() == 0.5
    assert torch.equal(deltas, deltas.sort().values)


def test_ldam(batch):
    """Logits are 30 times cosines in [-1, 1]."""
    logits, labels = batch
    cosines = logits.tanh()
    deltas = [0.5 * (n / 50) ** -0.25 for n in COUNTS.tolist()]

    def image_loss(z, y):
        top = math.exp(30 * (z[y] - deltas[y]))
        return -math.log(top / (top + sum(math.exp(30 * z[j]) for j in range(10) if j != y)))

    losses = Ldam(COUNTS, 0.5, 30.0)(30 * cosines, labels)
    torch.testing.assert_close(losses, formula(cosines, labels, image_loss), rtol=1e-6, atol=1e-6)
    without_margin = Ldam(COUNTS, 0.0, 30.0)(logits, labels)
    torch.testing.assert_close(without_margin, CrossEntropy()(logits, labels))


@pytest.mark.parametrize(("tau", "gamma"), [(1.0, 0.0), (1.25, 0.15), (0.0, 0.2)])
def test_vector_scaling(batch, tau, gamma):
    priors = [n / 12406 for n in COUNTS.tolist()]

    def image_loss(z, y):
        moved = [
            value * (n / 5000) ** gamma + tau * math.log(prior)
            for value, n, prior in zip(z, COUNTS.tolist(), priors, strict=True)
        ]
        return -log_p(moved, y)

    losses = VectorScaling(COUNTS, tau, gamma)(*batch)
    torch.testing.assert_close(losses, formula(*batch, image_loss), rtol=1e-6, atol=1e-6)


EXP10 = torch.tensor([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500])
"""Images of each class of CIFAR-10 at exp0.1; `COUNTS` are those at exp0.01."""


@pytest.mark.parametrize("counts", [COUNTS, EXP10])
@pytest.mark.parametrize(
    ("progress", "gamma"), [(0.0, 0.05), (0.79, 0.05), (0.8, 0.0), (0.99, 0.0)]
)
def test_the_multiplicative_term_ends(batch, counts, progress, gamma):
    """Truncated logit adjustment (code of Wang et al. 2023): z / Delta + iota, or z + iota.

    Delta_c = (1 / n_c)^gamma / min_k (1 / n_k)^gamma, iota_c = tau log pi_c.
    """
    n = counts.tolist()
    deltas = [(1 / one) ** gamma / (1 / max(n)) ** gamma for one in n]
    iotas = [math.log(one / sum(n)) for one in n]

    def image_loss(z, y):
        moved = [one / delta + iota for one, delta, iota in zip(z, deltas, iotas, strict=True)]
        return -log_p(moved, y)

    criterion = VectorScaling(counts, 1.0, 0.05, end=0.8)
    criterion.set_progress(progress)
    torch.testing.assert_close(criterion(*batch), formula(*batch, image_loss), rtol=1e-6, atol=1e-6)


def test_logits_of_the_rarest_class_with_and_without_the_multiplicative_term():
    """At exp0.01, 0.01^0.05 = 0.794 and log(50 / 12406) = -5.514; at exp0.1, log(500 / 20431)."""
    logits = torch.zeros(1, 10).double()
    logits[0, 9] = 3.0
    for counts, progress, moved in (
        (COUNTS, 0.0, 3 * 0.794328 - 5.513912),
        (COUNTS, 0.8, 3 - 5.513912),
        (EXP10, 0.0, 3 * 0.891251 - 3.710201),
        (EXP10, 0.8, 3 - 3.710201),
    ):
        criterion = VectorScaling(counts, 1.0, 0.05, end=0.8)
        criterion.set_progress(progress)
        others = sum(n / counts.sum().item() for n in counts.tolist()[:9])
        expected = math.log(math.exp(moved) + others) - moved
        assert float(criterion(logits, torch.tensor([9]))) == pytest.approx(expected, abs=1e-5)


def test_balanced_softmax_is_logit_adjustment_at_tau_one(batch):
    def image_loss(z, y):
        weighted = [n * math.exp(value) for n, value in zip(COUNTS.tolist(), z, strict=True)]
        return -math.log(weighted[y] / sum(weighted))

    losses = VectorScaling(COUNTS, 1.0, 0.0)(*batch)
    torch.testing.assert_close(losses, formula(*batch, image_loss), rtol=1e-6, atol=1e-6)


def test_gradient_harmonising(batch):
    """The weight is B / (images of the bin * number of bins that are not empty)."""
    logits, labels = batch
    lengths = [1 - math.exp(log_p(z, y)) for z, y in zip(*map(torch.Tensor.tolist, batch))]  # noqa: B905
    bins = [min(int(length * 10), 9) for length in lengths]
    present = len(set(bins))
    weights = torch.tensor([64 / (bins.count(b) * present) for b in bins]).double()
    assert present > 3
    losses = GradientHarmonising(10, 0.0)(logits, labels)
    torch.testing.assert_close(losses, weights * CrossEntropy()(logits, labels))
    assert float(weights.mean()) == pytest.approx(1)


def test_gradient_harmonising_over_batches(batch):
    logits, labels = batch
    criterion = GradientHarmonising(10, 0.75)
    first = criterion(logits, labels)
    running = criterion.running.clone()
    plain = GradientHarmonising(10, 0.0)(logits, labels)
    torch.testing.assert_close(first, 4 * plain)  # a quarter of each count so far
    assert float(running.sum()) == 16
    for _ in range(40):
        last = criterion(logits, labels)
    torch.testing.assert_close(last, plain, rtol=1e-3, atol=0)
    evaluated = criterion.eval().running.clone()
    criterion(logits[:9], labels[:9])
    assert torch.equal(criterion.running, evaluated)


def test_label_aware_smoothing(batch):
    def epsilon(n):
        return 0.1 + 0.3 * math.sin(math.pi / 2 * (n - 50) / 4950)

    def image_loss(z, y):
        e = epsilon(COUNTS[y].item())
        return sum(-(1 - e if c == y else e / 9) * log_p(z, c) for c in range(10))

    losses = LabelAwareSmoothing(COUNTS, 0.4, 0.1)(*batch)
    torch.testing.assert_close(losses, formula(*batch, image_loss), rtol=1e-6, atol=1e-6)
    assert smoothing(COUNTS, 0.4, 0.1)[[0, 9]].tolist() == pytest.approx([0.4, 0.1])
    torch.testing.assert_close(LabelAwareSmoothing(COUNTS, 0, 0)(*batch), CrossEntropy()(*batch))


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_on_balanced_classes_adjustments_are_the_plain_loss(batch, tau):
    for gamma in (0.0, 0.2):
        losses = VectorScaling(BALANCED, tau, gamma)(*batch)
        torch.testing.assert_close(losses, CrossEntropy()(*batch), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CRITERIA)
def test_gradients_are_those_of_differences(batch, name):
    """Gradients equal finite differences; the weights of gradient harmonising have none."""
    logits, labels = (part[:8] for part in batch)
    criterion = CRITERIA[name]
    point = logits.tanh().requires_grad_()  # far from the borders of bins
    (gradient,) = torch.autograd.grad(criterion(point, labels).sum(), point)
    step, expected = 1e-5, torch.zeros_like(point)
    with torch.no_grad():
        for i in range(8):
            for j in range(10):
                moved = torch.zeros_like(point)
                moved[i, j] = step
                up, down = (criterion(point + sign * moved, labels).sum() for sign in (1, -1))
                expected[i, j] = (up - down) / (2 * step)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CRITERIA)
def test_half_precision_in_and_out(batch, name):
    logits, labels = batch
    low = CRITERIA[name](logits.bfloat16(), labels)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.double(), CRITERIA[name](logits, labels), rtol=0.2, atol=0.2)
