"""Weight steps with perturbed mixing weights."""

import pytest
import torch
import torch.nn.functional as F
from modules import batches, search_module, state

from ltnas import config as c

LARGE = {"first_epsilon": 0.1, "epsilon": 0.1}
BOTH = [c.RandomPerturbation(**LARGE), c.AdversarialPerturbation(**LARGE)]


def differing(before, after):
    return {name for name in before if not before[name].equal(after[name])}


def trained(perturbation=None, steps=2, **options):
    module = search_module(perturbation=perturbation, **options)
    for step in range(steps):
        module.training_step(batches(seed=step), step)
    return module


@pytest.mark.parametrize("perturbation", BOTH)
def test_the_weight_step_alone_is_perturbed(perturbation):
    plain, module, data = search_module(), search_module(perturbation=perturbation), batches()
    module.perturbation.draw(torch.Generator().manual_seed(0))
    for name, value in plain.architecture_gradient(data)[0].items():
        assert module.architecture_gradient(data)[0][name].equal(value)
    before = state(plain)
    plain.weight_step(data["weights"])
    module.weight_step(data["weights"])
    assert differing(state(plain), state(module))
    # The architecture parameters and the weights of a test are not touched.
    assert all("architecture" not in name for name in differing(before, state(module)))
    for kind, weights in plain.network.mixing_weights().items():
        assert module.network.mixing_weights()[kind].equal(weights)


@pytest.mark.parametrize("perturbation", BOTH)
@pytest.mark.parametrize("relaxation", [c.Softmax(), c.Sigmoid(), c.Gumbel(), c.Dirichlet()])
def test_without_epsilon_a_search_is_the_plain_one_to_the_bit(perturbation, relaxation):
    none = type(perturbation)(first_epsilon=0.0, epsilon=0.0)
    plain, module = (trained(p, relaxation=relaxation, steps=1) for p in (None, none))
    assert differing(state(plain), state(module)) == set()


@pytest.mark.parametrize("perturbation", BOTH)
def test_statistics_move_once_a_step(perturbation):
    module = trained(perturbation)
    tracked = [v for n, v in state(module).items() if n.endswith("num_batches_tracked")]
    assert all(int(value) == 2 for value in tracked)


def test_the_perturbed_loss_is_that_of_the_moved_weights():
    module, data = search_module(perturbation=BOTH[0]), batches()["weights"]
    module.perturbation.draw(torch.Generator().manual_seed(0))
    network = module.network
    moved = {}
    for kind, values in network.mixing_weights().items():
        noise = module.perturbation.noise(kind)
        changed = (values.detach() + 0.1 * noise).clamp(0, 1)
        moved[kind] = changed / changed.sum(-1, keepdim=True)
    expected = F.cross_entropy(network(data.views[0], moved), data.labels)
    module = search_module(perturbation=BOTH[0])
    module.perturbation.draw(torch.Generator().manual_seed(0))
    found = module.weight_step(data)["train_loss"]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-9, atol=1e-9)


def test_an_adversary_raises_the_loss_more_than_noise_does():
    data, losses = batches()["weights"], []
    for perturbation in (None, *BOTH):
        module = search_module(perturbation=perturbation)
        if perturbation is not None:
            module.perturbation.draw(torch.Generator().manual_seed(0))
        losses.append(float(module.weight_step(data)["train_loss"]))
    plain, noisy, adversarial = losses
    assert adversarial > max(plain, noisy)


def test_counts_of_a_loss_move_once_a_step():
    """Gradient harmonising counts the images of each bin over the batches."""
    module, plain = (
        trained(perturbation, objective=c.GradientHarmonising(momentum=0.5), steps=0)
        for perturbation in (BOTH[1], None)
    )
    module.perturbation.epsilon.fill_(0.0)
    for one in (module, plain):
        one.weight_step(batches()["weights"])
    name = "objective.criterion.running"
    assert float(state(plain)[name].sum()) > 0
    assert state(module)[name].equal(state(plain)[name])


def test_an_adversary_of_features_without_labels_does_not_read_them():
    ends = []
    for change in (lambda labels: labels, lambda labels: labels.flip(0) * 0):
        module = search_module(c.BarlowTwins(hidden=8, outputs=6), perturbation=BOTH[1])
        data = {
            name: batch._replace(labels=change(batch.labels)) for name, batch in batches(2).items()
        }
        module.training_step(data, 0)
        ends.append(state(module))
    assert differing(*ends) == {"model.classifier.weight", "model.classifier.bias"}
