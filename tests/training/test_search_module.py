"""The order, the reach and the separation of the bilevel steps."""

import pytest
import torch
import torch.nn.functional as F
from modules import batches, search_module, state
from networks import search_network as make_network

from ltnas import config as c
from ltnas.training.curvature import measure_curvature

SSL = c.BarlowTwins(hidden=8, outputs=6)


def changed(before, after):
    return {name for name in before if not before[name].equal(after[name])}


def test_architecture_parameters_are_in_no_weight_optimiser_and_weights_in_no_other():
    module = search_module(SSL)
    weights, architecture = (
        {id(p) for group in optimiser.param_groups for p in group["params"]}
        for optimiser in module.alone.optimizers
    )
    alphas = {id(p) for p in module.network.architecture.values()}
    assert architecture == alphas
    assert weights == {id(p) for p in module.learner.parameters()} - alphas
    assert all("architecture" not in name for name in module.learner.weights())
    assert {"normal", "reduce"} == set(module.network.architecture_parameters())
    saved = set(module.state_dict())
    assert {"learner.model.architecture.normal", "learner.model.architecture.reduce"} <= saved


@pytest.mark.parametrize("gradient", [c.FirstOrder(), c.SecondOrder()])
@pytest.mark.parametrize("objective", [c.CrossEntropy(), SSL])
def test_architecture_gradient_leaves_weights_statistics_and_their_gradients_alone(
    gradient, objective
):
    module = search_module(objective, gradient)
    before = state(module)
    found, _ = module.architecture_gradient(batches(1 + (objective is SSL)))
    assert changed(before, state(module)) == set()
    assert all(parameter.grad is None for parameter in module.learner.parameters())
    assert set(found) == {"model.architecture.normal", "model.architecture.reduce"}
    assert all(float(value.abs().sum()) > 0 for value in found.values())


@pytest.mark.parametrize("regulariser", [c.ZeroOneL1(), c.ZeroOneL2()])
def test_a_masked_operation_changes_neither_gradient_nor_history(regulariser):
    """A space without the operation gives the same, with the regulariser's mean over the rest."""
    masks = dict.fromkeys(("normal", "reduce"), ((False, True, True),) * 5)
    axes = {"relaxation": c.Sigmoid(initial_deviation=1.0), "regulariser": regulariser}
    larger = search_module(**axes, operations=["none", "skip_connect", "sep_conv_3x3"], masks=masks)
    smaller = search_module(**axes, operations=["skip_connect", "sep_conv_3x3"])
    tensors = larger.learner.state_dict()
    for kind in ("normal", "reduce"):
        tensors[f"model.architecture.{kind}"] = tensors[f"model.architecture.{kind}"][:, 1:]
    smaller.learner.load_state_dict(tensors)
    found, expected = (module.architecture_gradient(batches())[0] for module in (larger, smaller))
    for name, gradient in found.items():
        assert not gradient[:, 0].any()
        torch.testing.assert_close(gradient[:, 1:], expected[name], rtol=1e-10, atol=1e-13)
    assert larger.architecture().genotype == smaller.architecture().genotype
    assert larger.epoch_details() == pytest.approx(smaller.epoch_details(), rel=1e-12)


def test_the_curvature_is_that_of_one_draw_of_noise():
    module = search_module(operations=["noise", "sep_conv_3x3"])
    found = [measure_curvature(module.learner, batches()["architecture"], 0) for _ in range(2)]
    assert found[0] == found[1]
    assert abs(found[0]) < 10  # differences of two draws, divided by 2e-6, would be far larger


def test_no_weight_gradient_is_computed_in_the_architecture_step():
    """Convolutions are asked for the gradient of their input alone."""
    module = search_module()
    calls = []

    class Spy(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.convolution_backward.default:
                calls.append(args[-1])
            return func(*args, **(kwargs or {}))

    with Spy():
        module.architecture_gradient(batches())
    assert calls
    assert all(mask == [True, False, False] for mask in calls)


def test_first_order_gradient_is_that_of_the_validation_loss_plus_regulariser():
    module = search_module(relaxation=c.Sigmoid(0.5), regulariser=c.ZeroOneL2(weight=10.0))
    data = batches()
    found, _ = module.architecture_gradient(data)
    alphas = module.network.architecture
    loss = F.cross_entropy(
        module.network(data["architecture"].views[0]), data["architecture"].labels
    )
    gates = torch.cat([alphas[kind].sigmoid().flatten() for kind in ("normal", "reduce")])
    loss = loss - 10 * ((gates - 0.5) ** 2).mean()
    wanted = torch.autograd.grad(loss, [alphas["normal"], alphas["reduce"]])
    for kind, gradient in zip(("normal", "reduce"), wanted, strict=True):
        torch.testing.assert_close(
            found[f"model.architecture.{kind}"], gradient, rtol=1e-9, atol=1e-13
        )


def test_the_architecture_moves_before_the_weights_and_statistics_move_once():
    module = search_module()
    data = batches()
    expected = search_module()
    for name, parameter in expected.network.architecture.items():
        parameter.grad = expected.architecture_gradient(data)[0][f"model.architecture.{name}"]
    expected.alone.optimizers[1].step()
    expected.weight_step(data["weights"])
    module.training_step(data, 0)
    assert changed(state(expected), state(module)) == set()
    tracked = [v for n, v in state(module).items() if n.endswith("num_batches_tracked")]
    assert all(int(value) == 1 for value in tracked)


def test_the_weight_step_is_sgd_on_the_clipped_gradient():
    module = search_module()
    data = batches()["weights"]
    weights = module.learner.weights()
    old = {name: value.detach().clone() for name, value in weights.items()}
    loss = F.cross_entropy(module.network(data.views[0]), data.labels)
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    size = torch.sqrt(sum((g**2).sum() for g in found if g is not None))
    scale = min(1.0, 5.0 / (float(size) + 1e-6))
    module = search_module()
    module.weight_step(data)
    new = module.learner.weights()
    for (name, value), gradient in zip(old.items(), found, strict=True):
        step = 0.025 * (scale * gradient + 3e-4 * value)
        torch.testing.assert_close(new[name].detach(), value - step, rtol=1e-9, atol=1e-12)


def test_labels_play_no_part_in_a_self_supervised_search():
    """Other labels: the same architecture and the same weights, but for the probe's."""
    ends = []
    for labels in (0, 1):
        module = search_module(SSL, relaxation=c.Sigmoid(), regulariser=c.ZeroOneL1())
        for step in range(3):
            data = batches(2, seed=step)
            if labels:
                data = {
                    name: batch._replace(labels=batch.labels.flip(0) * 0)
                    for name, batch in data.items()
                }
            module.training_step(data, step)
        ends.append(state(module))
    assert changed(*ends) == {"model.classifier.weight", "model.classifier.bias"}


def test_the_probe_learns():
    module = search_module(SSL)
    before = state(module)
    module.training_step(batches(2), 0)
    assert "model.classifier.weight" in changed(before, state(module))


def test_second_order_differs_from_first_and_uses_the_momentum():
    first, second = search_module(), search_module(gradient=c.SecondOrder())
    data = batches()
    a, b = (module.architecture_gradient(data)[0] for module in (first, second))
    assert changed(a, b) == set(a)
    for buffer_scale in (0.0, 1.0):
        module = search_module(gradient=c.SecondOrder())
        for parameter in module.learner.weights().values():
            buffer = torch.full_like(parameter, buffer_scale)
            module.alone.optimizers[0].state[parameter]["momentum_buffer"] = buffer
        c_, _ = module.architecture_gradient(data)
        assert (changed(b, c_) == set()) is (buffer_scale == 0.0)


def test_means_name_the_first_step_that_is_not_finite():
    from ltnas.errors import UserError

    module = search_module()
    for value in (1.0, float("nan"), float("inf")):
        module.note({"train_loss": torch.tensor(value), "train_accuracy": torch.tensor(0.5)})
    module.alone.current_epoch = 3
    type(module).current_epoch = property(lambda self: 3)
    try:
        with pytest.raises(UserError, match="train_loss was nan in step 1 of epoch 3"):
            module.epoch_means()
    finally:
        del type(module).current_epoch


def test_mixed_precision_keeps_parameters_losses_and_mixing_weights_in_fp32():
    module = search_module(SSL, relaxation=c.Sigmoid(), dtype=torch.float32)
    module.autocast = lambda: torch.autocast("cpu", torch.bfloat16)
    halves = []

    class Spy(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.convolution.default:
                halves.append(args[0].dtype)
            return func(*args, **(kwargs or {}))

    with Spy():
        module.training_step(batches(2, dtype=torch.float32), 0)
    assert set(halves) == {torch.bfloat16}
    assert {parameter.dtype for parameter in module.learner.parameters()} == {torch.float32}
    with module.autocast():
        assert {w.dtype for w in module.network.mixing_weights().values()} == {torch.float32}
    assert all(float(value) > 0 for value in module.latest().values())


def test_checkpoints_of_version_0_1_0_fit():
    module = search_module(branches=c.TwoBranches())
    now = {f"learner.{name}": value for name, value in module.learner.state_dict().items()}
    then = {name.replace("model.supernet.", "model."): value for name, value in now.items()}
    assert then.keys() != now.keys()
    checkpoint = {"state_dict": then, "confusions": {}, "calibration_errors": {}}
    module.on_load_checkpoint(checkpoint)
    assert list(checkpoint["state_dict"]) == list(now)


def test_the_architecture_of_an_epoch_is_computed_once():
    module = search_module()
    first = module.architecture()
    with torch.no_grad():
        module.network.architecture["normal"].add_(1.0)
    assert module.architecture() is first
    module._architecture = None  # as a new epoch does
    assert module.architecture() is not first


def test_before_the_end_of_the_warm_up_only_the_weights_move():
    module = search_module()
    before = state(module)
    module.warmup_epochs = 1  # and the present epoch is 0
    module.training_step(batches(), 0)
    moved = changed(before, state(module))
    assert "model.classifier.weight" in moved
    assert not any("architecture" in name for name in moved)
    module.warmup_epochs = 0
    module.training_step(batches(), 1)
    assert "model.architecture.normal" in changed(before, state(module))


@pytest.mark.parametrize(
    ("share", "epochs", "wanted"), [(0.3, 50, 15), (0.4, 25, 10), (0.3, 3, 1), (0.9, 1, 0)]
)
def test_a_warm_up_is_a_share_of_the_epochs_and_leaves_one(share, epochs, wanted):
    assert c.ArchitectureOptimiser(warmup=share).warmup_epochs(epochs) == wanted


def test_a_single_level_moves_both_by_the_gradient_of_one_loss():
    module = search_module(gradient=c.SingleLevel())
    batch = batches()["weights"]
    architecture = module.learner.architecture()
    loss = module.learner(batch).total
    expected = torch.autograd.grad(loss, list(architecture.values()))
    before = {name: value.detach().clone() for name, value in architecture.items()}
    module.training_step({"weights": batch}, 0)
    for (name, value), gradient in zip(
        module.learner.architecture().items(), expected, strict=True
    ):
        # The first step of Adam is the rate times the sign of gradient and decay.
        step = 0.01 * (gradient + 1e-3 * before[name]).sign()
        torch.testing.assert_close(value.detach(), before[name] - step, rtol=0, atol=1e-4)


def test_the_weights_of_edges_rank_operations_too():
    torch.manual_seed(0)
    network = make_network(nodes=2, edge_deviation=1.0)
    weights, edges = network.expected_weights(), network.edge_weights()
    for kind, strengths in network.strengths().items():
        torch.testing.assert_close(strengths, weights[kind] * edges[kind].detach()[:, None])
