"""Samples of the Gumbel-softmax distribution."""

import pytest
import torch

from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.axes.gumbel import reinmax, temperature

PARAMETERS = {
    kind: torch.randn(14, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for seed, kind in enumerate(("normal", "reduce"))
}


def relaxation(config, seed=0):
    """A relaxation in float64 with the noise of a seed."""
    module = build_relaxation(config, 14, 8).double()
    module.draw(torch.Generator().manual_seed(seed))
    return module


def noise_of(module, kind):
    return module.noise(kind)


def test_temperatures_fall_linearly_from_the_first_epoch_to_the_last():
    assert [temperature(10.0, 0.1, epoch, 250) for epoch in (0, 249)] == [10.0, pytest.approx(0.1)]
    assert temperature(1.0, 0.03, 1, 3) == pytest.approx(0.515)
    assert temperature(1.0, 0.03, 0, 1) == 1.0
    module = relaxation(c.HardGumbel())
    module.set_epoch(249, 250)
    assert module.details()["temperature"] == pytest.approx(0.1)


def test_a_soft_sample_is_the_softmax_of_perturbed_logits():
    module = relaxation(c.Gumbel())
    module.set_epoch(1, 3)
    for kind, values in PARAMETERS.items():
        logits = (
            values - values.exp().sum(-1, keepdim=True).log() + noise_of(module, kind)
        ) / 0.515
        wanted = logits.exp() / logits.exp().sum(-1, keepdim=True)
        torch.testing.assert_close(module(PARAMETERS)[kind], wanted)


def test_a_hard_sample_has_the_values_of_the_largest_and_the_gradient_of_the_soft_one():
    module = relaxation(c.HardGumbel())
    module.set_epoch(0, 1)
    leaves = {kind: values.clone().requires_grad_() for kind, values in PARAMETERS.items()}
    factors = torch.randn(14, 8, dtype=torch.float64)
    weights = module(leaves)["normal"]
    assert (weights.sum(-1) == 1).all()
    assert ((weights == 0) | (weights == 1)).all()
    found = torch.autograd.grad((weights * factors).sum(), leaves["normal"])[0]
    soft = torch.softmax(
        (torch.log_softmax(leaves["normal"], -1) + noise_of(module, "normal")) / 10, -1
    )
    (wanted,) = torch.autograd.grad((soft * factors).sum(), leaves["normal"])
    torch.testing.assert_close(found, wanted)
    assert torch.equal(weights.argmax(-1), soft.argmax(-1))


def test_operations_are_drawn_with_their_probabilities():
    module = relaxation(c.HardGumbel())
    counts, draws = torch.zeros(14, 8, dtype=torch.float64), 3000
    generator = torch.Generator().manual_seed(0)
    for _ in range(draws):
        module.draw(generator)
        counts += module(PARAMETERS)["normal"]
    wanted = torch.softmax(PARAMETERS["normal"], -1)
    # Five standard deviations of a share in 3,000 draws are at most 0.046.
    assert (counts / draws - wanted).abs().max() < 0.046


def test_reinmax_has_the_gradient_of_its_definition():
    logits = PARAMETERS["normal"][:1].clone().requires_grad_()
    sample = torch.zeros(1, 8, dtype=torch.float64)
    sample[0, 2] = 1
    value = reinmax(sample, logits, torch.tensor(1.5, dtype=torch.float64))
    assert torch.equal(value.detach(), sample)
    upstream = torch.randn(1, 8, dtype=torch.float64)
    (found,) = torch.autograd.grad((value * upstream).sum(), logits)

    def product(probabilities):
        """(diag(p) - p p^T) times the upstream gradient: the backward pass of a softmax."""
        jacobian = torch.diag(probabilities) - torch.outer(probabilities, probabilities)
        return jacobian @ upstream[0]

    flat = torch.softmax(logits[0].detach(), -1)
    average = (sample[0] + torch.softmax(logits[0].detach() / 1.5, -1)) / 2
    torch.testing.assert_close(found[0], 2 * product(average) - product(flat) / 2)


def test_outside_of_training_there_is_no_noise():
    soft, hard = relaxation(c.Gumbel()).eval(), relaxation(c.HardGumbel()).eval()
    probabilities = torch.softmax(PARAMETERS["normal"], -1)
    torch.testing.assert_close(soft(PARAMETERS)["normal"], probabilities)
    best = hard(PARAMETERS)["normal"]
    assert torch.equal(best.argmax(-1), probabilities.argmax(-1))
    assert best.sum() == 14
    torch.testing.assert_close(hard.expected(PARAMETERS)["normal"], probabilities)


def test_one_seed_draws_the_same_noise():
    first, second = relaxation(c.Gumbel(), 3), relaxation(c.Gumbel(), 3)
    assert torch.equal(first(PARAMETERS)["reduce"], second(PARAMETERS)["reduce"])
    assert not torch.equal(
        first(PARAMETERS)["reduce"], relaxation(c.Gumbel(), 4)(PARAMETERS)["reduce"]
    )
