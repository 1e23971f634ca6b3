"""Candidate operations: parameter counts of the authors' code, shapes, and their formulas."""

import pytest
import torch
from torch.nn import functional

from ltnas.config import KNOWN_OPERATIONS, OPERATIONS
from ltnas.config.space import PARAMETRIC
from ltnas.models.operations import FactorizedReduce, Zero, operation
from ltnas.models.sources import Source
from ltnas.models.stacked import EdgeNoise


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def normalised(x):
    """Normalise over batch and pixels, as a BatchNorm without scale and shift in training."""
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


@pytest.fixture
def x():
    return torch.randn(2, 6, 8, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "stride", "plain", "affine"),
    [
        *(("none", stride, 0, 0) for stride in (1, 2)),
        *(("max_pool_3x3", stride, 0, 0) for stride in (1, 2)),
        *(("avg_pool_3x3", stride, 0, 0) for stride in (1, 2)),
        ("skip_connect", 1, 0, 0),
        ("skip_connect", 2, 256, 288),
        *(("sep_conv_3x3", stride, 800, 864) for stride in (1, 2)),
        *(("sep_conv_5x5", stride, 1312, 1376) for stride in (1, 2)),
        *(("dil_conv_3x3", stride, 400, 432) for stride in (1, 2)),
        *(("dil_conv_5x5", stride, 656, 688) for stride in (1, 2)),
        *(("noise", stride, 0, 0) for stride in (1, 2)),
    ],
)
def test_parameters_are_those_of_the_authors_code(name, stride, plain, affine):
    assert parameters(operation(name, 16, stride, affine=False)) == plain
    assert parameters(operation(name, 16, stride, affine=True)) == affine


@pytest.mark.parametrize("name", KNOWN_OPERATIONS)
@pytest.mark.parametrize("affine", [False, True])
def test_an_operation_keeps_channels_and_divides_the_size(name, affine, x):
    for stride, shape in ((1, (2, 6, 8, 10)), (2, (2, 6, 4, 5))):
        y = operation(name, 6, stride, affine).double()(x)
        assert y.shape == shape
        assert y.dtype == torch.float64


def test_parametric_operations_have_weights_at_every_stride():
    learning = {name for name in OPERATIONS if parameters(operation(name, 4, 1, False))}
    assert set(PARAMETRIC) == learning


def test_an_unknown_operation_is_refused():
    with pytest.raises(ValueError, match="conv_7x7"):
        operation("conv_7x7", 4, 1, affine=True)
    with pytest.raises(ValueError, match="conv_7x7 is not a candidate operation"):
        Source(0, [(0, 2)], ["conv_7x7"], ((True,), (True,)), channels=4, stride=1)


@pytest.mark.parametrize("stride", [1, 2])
def test_none_is_zero_and_stops_no_other_gradient(stride, x):
    x.requires_grad_()
    y = Zero(stride)(x)
    assert y.shape == x[:, :, ::stride, ::stride].shape
    assert torch.equal(y, torch.zeros_like(y))
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (scale * y + x[:, :, ::stride, ::stride]).sum().backward()
    assert scale.grad == 0
    expected = torch.zeros_like(x)
    expected[:, :, ::stride, ::stride] = 1
    assert torch.equal(x.grad, expected)


def test_none_is_zero_where_its_input_is_not_finite(x):
    assert not Zero(1)(x / 0).any()


@pytest.mark.parametrize("stride", [1, 2])
def test_noise_is_standard_normal_and_independent_of_its_input(stride):
    x = torch.full((8, 16, 32, 32), 7.0, requires_grad=True)
    module = operation("noise", 16, stride, affine=True)
    torch.manual_seed(0)
    y = module(x)
    torch.manual_seed(0)
    assert torch.equal(module(-x / 0), y)
    assert not torch.equal(module(x), y)  # drawn anew in each pass, in evaluation, too
    assert not y.requires_grad
    count = y.numel()
    assert abs(y.mean()) < 4 / count**0.5
    assert abs(y.var() - 1) < 4 * (2 / count) ** 0.5
    neighbours = (y[..., 1:] * y[..., :-1]).mean()
    assert abs(neighbours) < 5 / count**0.5


@pytest.mark.parametrize("stride", [1, 2])
def test_noise_of_several_edges_has_their_mixing_weights(stride):
    torch.manual_seed(1)
    state = torch.randn(8, 4, 16, 16, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([0.5] * 4 + [0.0] * 4 + [2.0] * 4, dtype=torch.float64).requires_grad_()
    y = EdgeNoise(3, stride)(state, scale)
    assert y.shape == (8, 12, 16 // stride, 16 // stride)
    first, masked, last = (part.detach() for part in y.split(4, 1))
    assert not masked.any()
    pixels = first.numel()
    for part, weight in ((first, 0.5), (last, 2.0)):
        assert abs(part.mean()) < 4 * weight / pixels**0.5
        assert abs(part.var() / weight**2 - 1) < 4 * (2 / pixels) ** 0.5
    assert abs((first * last).mean()) < 4 / pixels**0.5  # edges draw separately
    gradient, none = torch.autograd.grad(y.sum(), (scale, state), allow_unused=True)
    assert none is None
    torch.testing.assert_close(gradient[:4], first.sum((0, 2, 3)) / 0.5)


def test_skip_connect_is_the_identity(x):
    assert operation("skip_connect", 6, 1, affine=True)(x) is x


def test_factorized_reduce_takes_even_pixels_and_odd_pixels(x):
    module = FactorizedReduce(6, 8, affine=False).double()
    first, second = (conv.weight[:, :, 0, 0] for conv in (module.conv_1, module.conv_2))
    positive = x.clamp(min=0)
    y = torch.cat(
        [
            torch.einsum("oc,bchw->bohw", first, positive[:, :, 0::2, 0::2]),
            torch.einsum("oc,bchw->bohw", second, positive[:, :, 1::2, 1::2]),
        ],
        dim=1,
    )
    assert first.shape == second.shape == (4, 6)
    torch.testing.assert_close(module(x), normalised(y), rtol=1e-12, atol=1e-12)


def test_a_strided_skip_is_a_factorized_reduce(x):
    module = operation("skip_connect", 6, 2, affine=True)
    assert isinstance(module, FactorizedReduce)
    assert module.bn.affine


def windows(x, stride, outside):
    """Return the 3 x 3 window of each output pixel, [B, C, 9, H', W']."""
    padded = functional.pad(x, (1, 1, 1, 1), value=outside)
    height, width = x.shape[2:]
    return torch.stack(
        [
            padded[:, :, row : row + height : stride, column : column + width : stride]
            for row in range(3)
            for column in range(3)
        ],
        dim=2,
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_pools_do_not_see_their_padding(stride, x):
    highest = operation("max_pool_3x3", 6, stride, affine=True)(x - 10)
    assert torch.equal(highest, windows(x - 10, stride, -torch.inf).amax(2))
    mean = operation("avg_pool_3x3", 6, stride, affine=True)(x)
    expected = windows(x, stride, torch.nan).nanmean(2)
    torch.testing.assert_close(mean, expected, rtol=1e-12, atol=1e-12)


def depthwise(x, weight, stride, dilation):
    """Convolve each channel with its own centred kernel of odd size over a border of zeros."""
    reach = dilation * (weight.shape[-1] // 2)
    padded = functional.pad(x, (reach,) * 4)
    height, width = x.shape[2:]
    taps = range(weight.shape[-1])
    return sum(
        weight[:, 0, i, j].view(-1, 1, 1)
        * padded[
            :,
            :,
            i * dilation : i * dilation + height : stride,
            j * dilation : j * dilation + width : stride,
        ]
        for i in taps
        for j in taps
    )


def block(x, deep, point, stride, dilation):
    y = depthwise(x.clamp(min=0), deep.weight, stride, dilation)
    return normalised(torch.einsum("oc,bchw->bohw", point.weight[:, :, 0, 0], y))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_separable_convolutions_are_two_blocks(stride, kernel, x):
    module = operation(f"sep_conv_{kernel}x{kernel}", 6, stride, affine=False).double()
    assert module[1].weight.shape == (6, 1, kernel, kernel)
    y = block(block(x, module[1], module[2], stride, 1), module[5], module[6], 1, 1)
    torch.testing.assert_close(module(x), y, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_dilated_convolutions_are_one_block(stride, kernel, x):
    module = operation(f"dil_conv_{kernel}x{kernel}", 6, stride, affine=False).double()
    assert module[1].weight.shape == (6, 1, kernel, kernel)
    y = block(x, module[1], module[2], stride, 2)
    torch.testing.assert_close(module(x), y, rtol=1e-12, atol=1e-12)
