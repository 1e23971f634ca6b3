"""The supernet equals the plain one: outputs, every gradient, every buffer."""

import contextlib
import re
from dataclasses import dataclass

import plain_supernet
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import search_network
from torch.func import functional_call
from torch.nn import functional

from ltnas.axes.relaxations import Sigmoid, Softmax
from ltnas.config import OPERATIONS
from ltnas.models import native_executor
from ltnas.models.operations import Zero
from ltnas.models.stacking import plain_names, stack
from ltnas.models.statistics import frozen_statistics
from ltnas.space.layout import edges

CLASSES = 5
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@dataclass(frozen=True)
class Case:
    operations: tuple
    nodes: int
    channels: int
    cells: int
    side: int
    batch: int
    relax: object
    masks: object = None
    dtype: torch.dtype = torch.float64


@st.composite
def cases(draw, dtype=torch.float64, masked=False):
    """Draw a case; in float32 with more pixels, as few pixels magnify rounding errors.

    Cells with the four nodes of the papers are in `test_equal_at_the_width_of_the_paper`.
    """
    sides, batches = ((2, 4), (2, 4)) if dtype == torch.float64 else ((4, 5), (6, 8))
    everything = st.sampled_from([OPERATIONS, OPERATIONS[1:]])
    several = st.permutations(OPERATIONS).map(lambda names: tuple(names[:3]))
    operations = draw(everything | several)
    nodes = draw(st.integers(1, 3))
    row = st.tuples(*[st.booleans()] * len(operations)).filter(any)
    mask = st.tuples(*[row] * len(edges(nodes)))
    return Case(
        operations,
        nodes,
        2 * draw(st.integers(1, 5)),
        draw(st.integers(1, 4)),
        4 * draw(st.integers(*sides)),
        draw(st.integers(*batches)),
        draw(st.sampled_from([Softmax(), Sigmoid()])),
        draw(st.fixed_dictionaries(dict.fromkeys(("normal", "reduce"), mask))) if masked else None,
        dtype,
    )


def place(name):
    """Return the row and column of a plain supernet's tensor, or None."""
    match = re.search(r"mixed\.(\d+)\.operations\.(\d+)\.", name)
    return match and tuple(map(int, match.groups()))


def pair(case, **options):
    """Return plain and stacked supernet with equal weights, and the plain names of each tensor."""
    torch.manual_seed(0)
    shape = (list(case.operations), case.nodes, case.channels, case.cells, CLASSES, case.relax, 1.0)
    plain = plain_supernet.Supernet(*shape).to(case.dtype)
    options |= {"masks": case.masks, "deviation": 1.0}
    fast = search_network(*shape[:-1], **options).to(case.dtype)
    plain.masks = {kind: torch.tensor(mask) for kind, mask in (case.masks or {}).items()}
    kinds = dict(enumerate(fast.supernet.kinds))
    for index, cell in enumerate(plain.cells if case.masks else []):
        for row, mixed in enumerate(cell.mixed):
            for column, there in enumerate(case.masks[kinds[index]][row]):
                if not there:
                    stride = 2 if kinds[index] == "reduce" and cell.edges[row][1] < 2 else 1
                    mixed.operations[column] = Zero(stride)
    tensors = plain.state_dict()
    names = {
        name: [part for part in plain_names(name, case.operations, case.nodes) if part in tensors]
        for name in fast.state_dict()
    }
    fast.load_state_dict(stack(tensors, names))
    return plain, fast.to(memory_format=torch.channels_last), names


def data(case, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (case.batch, 3, case.side, case.side)
    images = torch.randn(shape, generator=generator, dtype=case.dtype)
    return images, torch.randint(CLASSES, (case.batch,), generator=generator)


def check(actual, expected, dtype, what, size=0.0):
    """Check the error relative to the norm of the tensor, or to `size` where terms cancel."""
    scale = max(float(expected.detach().norm()) + 1e-3 * expected.numel() ** 0.5, size)
    error = float((actual - expected).detach().norm()) / scale
    assert error <= TOLERANCE[dtype], f"{what} is off by {error:.1e}"


def gradients(model, images, labels):
    """Return the gradients of parameters by name; zeros for those without a gradient."""
    model.zero_grad(set_to_none=True)
    functional.cross_entropy(model(images), labels).backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in model.named_parameters()
    }


def compare(case, seed=1, **options):
    plain, fast, names = pair(case, **options)
    images, labels = data(case, seed)
    check(fast(images), plain(images), case.dtype, "output")
    expected, actual = gradients(plain, images, labels), gradients(fast, images, labels)
    stacked = stack(expected, {name: names[name] for name in actual})
    for name, gradient in actual.items():
        check(gradient, stacked[name], case.dtype, f"gradient of {name}")
    buffers = stack(plain.state_dict(), names)
    for name, value in fast.state_dict().items():
        spread = buffers.get(name.replace("running_mean", "running_var"), value).to(case.dtype)
        size = float(spread.clamp_min(0).sqrt().norm()) if "running_mean" in name else 0.0
        check(value.to(case.dtype), buffers[name].to(case.dtype), case.dtype, name, size)
    with torch.no_grad():
        check(fast.eval()(images), plain.eval()(images), case.dtype, "output in evaluation")


@pytest.fixture(params=["kernels", "composed"])
def executor(request, monkeypatch):
    if request.param == "composed":
        monkeypatch.setattr(native_executor, "kernels", lambda: None)
    return request.param


def once(count):
    """Return settings of property tests, with the same examples in every run."""
    kept = [HealthCheck.function_scoped_fixture]  # the fixture serves all examples
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=kept)


@once(15)
@given(case=cases())
def test_equal_in_float64(executor, case):
    compare(case)


@once(8)
@given(case=cases(torch.float32))
def test_equal_in_float32(executor, case):
    """Try three batches, as rounding errors may cross a kink of ReLU or of a maximum."""
    for seed in (1, 2):
        with contextlib.suppress(AssertionError):
            compare(case, seed)
            return
    compare(case, 3)


@once(12)
@given(case=cases(masked=True))
def test_equal_with_masks(executor, case):
    compare(case)


@once(6)
@given(case=cases())
def test_equal_when_cells_are_checkpointed(executor, case):
    compare(case, checkpointed=True)


def test_equal_at_the_width_of_the_paper(executor):
    compare(Case(OPERATIONS, 4, 16, 3, 16, 4, Softmax()))


FULL = Case(OPERATIONS, 3, 4, 3, 8, 4, Softmax())


@pytest.mark.parametrize("checkpointed", [False, True])
def test_the_gradient_of_the_architecture_alone(executor, checkpointed):
    """Weights are constants here, so their gradients are left out."""
    plain, fast, _ = pair(FULL, checkpointed=checkpointed)
    images, labels = data(FULL)
    before = {name: value.clone() for name, value in fast.state_dict().items()}
    results = []
    for model in (plain, fast):
        weights = {name: p.detach() for name, p in model.weight_parameters().items()}
        with frozen_statistics(model):
            logits = functional_call(model, weights, (images,))
            loss = functional.cross_entropy(logits, labels)
            results.append(torch.autograd.grad(loss, list(model.architecture.values())))
    for expected, gradient in zip(*results, strict=True):
        check(gradient, expected, torch.float64, "gradient")
        assert gradient.abs().max() > 1e-4
    for name, value in fast.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("checkpointed", [False, True])
def test_other_weights_by_functional_call(executor, checkpointed):
    """Second-order gradients and chains of virtual updates pass weights in this way."""
    plain, fast, names = pair(FULL, checkpointed=checkpointed)
    images, labels = data(FULL)
    other = {name: 1.5 * p.detach() + 0.1 for name, p in plain.named_parameters()}
    stacked = stack(other, {name: names[name] for name, _ in fast.named_parameters()})
    results = []
    for model, weights in ((plain, other), (fast, stacked)):
        leaves = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
        loss = functional.cross_entropy(functional_call(model, leaves, (images,)), labels)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        results.append(dict(zip(leaves, gradients, strict=True)))
    expected = stack(results[0], {name: names[name] for name in results[1]})
    for name, gradient in results[1].items():
        check(gradient, expected[name], torch.float64, name)


def test_not_a_number_stays_one(executor):
    _, fast, _ = pair(FULL)
    images, _ = data(FULL)
    images[1, 0, 3, 3] = torch.nan
    assert fast(images).isnan().all()


def test_one_image_of_odd_size_in_evaluation(executor):
    plain, fast, _ = pair(Case(OPERATIONS, 2, 4, 1, 8, 2, Sigmoid()))
    image = torch.randn(1, 3, 8, 8).double()
    with torch.no_grad():
        check(fast.eval()(image), plain.eval()(image), torch.float64, "output")


def test_states_of_one_pixel(executor):
    """PyTorch sets the strides of sides of length 1 as it likes."""
    compare(Case(OPERATIONS, 2, 4, 3, 4, 8, Softmax()))


def test_the_same_numbers_in_every_run(executor):
    case = Case(OPERATIONS, 2, 8, 3, 16, 8, Softmax(), dtype=torch.float32)
    images, labels = data(case)
    first, second = (gradients(pair(case)[1], images, labels) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_hooks_inside_a_cell_are_called(executor):
    fast, (images, _) = pair(FULL)[1], data(FULL)
    expected, called = fast(images), []
    fast.supernet.cells[1].sources[0].register_forward_hook(lambda *arguments: called.append(1))
    check(fast(images), expected, torch.float64, "output")
    assert called == [1]
