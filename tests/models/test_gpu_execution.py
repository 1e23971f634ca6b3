"""Models by the GPU kernels, run by Triton's interpreter, beside the same models in PyTorch."""

import copy
from unittest.mock import patch

import pytest
import torch
from networks import search_network
from torch import nn

from ltnas.config import OPERATIONS
from ltnas.kernels import gpu
from ltnas.models import native_executor, operation_kernels, rectified
from ltnas.models.cell_design import CellDesign
from ltnas.models.network import Network
from ltnas.models.sources import EdgeWeights
from ltnas.models.stacked import Convolutions, Pool
from ltnas.models.supernet import SupernetCell
from ltnas.space.genotype import Edge, Genotype, cell_genotype, load_genotype
from ltnas.space.layout import CellPlan, edges

pytestmark = pytest.mark.usefixtures("quick_interpreter")


@pytest.fixture
def on_gpu(monkeypatch):
    """Return a function that makes models use the GPU kernels from then on, without a GPU."""

    def switch():
        monkeypatch.setattr(gpu, "takes", lambda x: x.dtype == torch.float32)

    # Neither side uses the CPU kernels.
    for module in (native_executor, operation_kernels, rectified):
        monkeypatch.setattr(module, "kernels", lambda: None)
    return switch


def results(model, *inputs):
    """Return the output, all gradients, and all buffers after one pass in training."""
    torch.manual_seed(1)
    model = copy.deepcopy(model)
    output = model(*inputs)
    tensors = dict(model.named_parameters())
    tensors |= {f"input {number}": x for number, x in enumerate(inputs) if x.requires_grad}
    gradients = torch.autograd.grad(
        output.square().sum(), list(tensors.values()), allow_unused=True, materialize_grads=True
    )
    named = {"output": output.detach(), **dict(zip(tensors, gradients, strict=True))}
    return {name: value.double() for name, value in (named | dict(model.named_buffers())).items()}


def agree(model, *inputs, on_gpu):
    expected = results(model, *inputs)
    on_gpu()
    found = results(model, *inputs)
    assert found.keys() == expected.keys()
    scale = max(float(value.norm()) for value in expected.values())
    for name, value in expected.items():
        difference = float((found[name] - value).norm())
        assert difference <= 2e-4 * float(value.norm()) + 1e-6 * scale, name


@pytest.mark.parametrize(("spectral", "nodes"), [(False, 2), (True, 1)])
def test_a_supernet_by_the_gpu_kernels(on_gpu, spectral, nodes):
    torch.manual_seed(0)
    model = search_network(nodes=nodes, channels=2, cells=3, design={"spectral": spectral})
    model = model.to(memory_format=torch.channels_last)
    agree(model, torch.randn(2, 3, 8, 8), on_gpu=on_gpu)


def test_a_supernet_with_noise_and_masks_by_the_gpu_kernels(on_gpu):
    torch.manual_seed(0)
    # Noise beside other operations on the same edges, alone, and on no edge that leaves a state.
    rows = ((True, True, True), (True, False, False), *((False, True, True),) * 3)
    model = search_network(
        ["noise", "skip_connect", "sep_conv_3x3"],
        nodes=2,
        channels=2,
        masks={"normal": rows, "reduce": rows[::-1]},
    ).to(memory_format=torch.channels_last)
    agree(model, torch.randn(2, 3, 8, 8), on_gpu=on_gpu)


def test_a_discrete_network_with_noise_by_the_gpu_kernels(on_gpu):
    torch.manual_seed(0)
    cell = cell_genotype(
        [
            *(Edge("noise", 2, 0), Edge("sep_conv_3x3", 2, 1)),
            *(Edge("noise", 3, 0), Edge("noise", 3, 2)),
        ]
    )
    model = Network(Genotype({"normal": cell, "reduce": cell}), 4, 3, 10, False)
    model.set_drop_path(0.3)
    agree(model.to(memory_format=torch.channels_last), torch.randn(2, 3, 8, 8), on_gpu=on_gpu)


def test_a_discrete_network_by_the_gpu_kernels(on_gpu):
    torch.manual_seed(0)
    model = Network(load_genotype("darts_v2")[0], 4, 3, 10, False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    model.set_drop_path(0.3)
    agree(model.to(memory_format=torch.channels_last), torch.randn(2, 3, 8, 8), on_gpu=on_gpu)


class Told(torch.nn.Module):
    """A cell that takes its mixing weights as a plain tensor, of which gradients are compared."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, before, previous, weights):
        return self.cell(before, previous, EdgeWeights(weights))


def cell_with_inputs(nodes, mask, reduction):
    """A supernet's cell with two channels, its two input states and its mixing weights."""
    torch.manual_seed(0)
    plan = CellPlan(2, 3, 4, reduction, follows_reduction=False, kind="normal")
    cell = SupernetCell(plan, CellDesign(OPERATIONS, nodes), mask)
    cell.to(memory_format=torch.channels_last)
    states = [
        torch.randn(2, channels, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
        for channels in (plan.before_previous, plan.previous)
    ]
    weights = torch.rand(len(edges(nodes)), len(OPERATIONS)).requires_grad_()
    return cell, (*states, weights)


@pytest.mark.parametrize("reduction", [False, True], ids=["normal", "reduction"])
def test_a_cell_whose_edges_have_different_candidates(reduction, on_gpu):
    """Operations of a state enter different nodes: some together, others alone."""
    present = {
        (2, 0): {"sep_conv_3x3", "max_pool_3x3", "skip_connect"},
        (2, 1): {"avg_pool_3x3", "skip_connect"},
        (3, 0): {"sep_conv_3x3", "max_pool_3x3", "avg_pool_3x3", "dil_conv_3x3"},
        (3, 1): {"sep_conv_5x5", "dil_conv_5x5", "skip_connect"},
        (3, 2): {"none", "skip_connect"},
    }
    mask = tuple(tuple(name in present[edge] for name in OPERATIONS) for edge in edges(2))
    cell, inputs = cell_with_inputs(2, mask, reduction)
    both, last, first = (2, 3), (3,), (2,)
    assert cell.sources[0].targets == {
        **{"sep_conv_3x3": both, "max_pool_3x3": both, "skip_connect": first},
        **{"avg_pool_3x3": last, "dil_conv_3x3": last},
    }
    with patch.object(gpu, "candidates", wraps=gpu.candidates) as joint:
        agree(Told(cell), *inputs, on_gpu=on_gpu)
    # Of the first state those of both edges, and those of one; of the second those of one.
    found = [
        (len(separable), len(dilated), shared.maximum is not None, shared.mean is not None)
        for _, separable, dilated, shared, _ in (call.args for call in joint.call_args_list)
    ]
    assert found == [(1, 0, True, False), (0, 1, False, True), (1, 1, False, False)]


class Doubled(nn.BatchNorm2d):
    """A normalisation that the kernels do not know, as those of distributed training."""

    def forward(self, x):
        return 2 * super().forward(x)


REPLACED = {
    "all": lambda name, module: True,
    "pools": lambda name, module: isinstance(module, Pool),
    "dilated": lambda name, module: isinstance(module, Convolutions) and name.startswith("dil"),
}


@pytest.mark.parametrize(("replaced", "joint"), [("all", 0), ("pools", 2), ("dilated", 0)])
def test_a_cell_with_other_normalisations(replaced, joint, on_gpu):
    """Candidates with one are computed one by one; pools with one do not keep others from that."""
    everything = ((True,) * len(OPERATIONS),) * len(edges(1))
    cell, inputs = cell_with_inputs(1, everything, reduction=False)
    for source in cell.sources:
        for name, candidate in source.candidates.items():
            if REPLACED[replaced](name, candidate):
                for module in candidate.modules():
                    if isinstance(getattr(module, "norm", None), nn.BatchNorm2d):
                        module.norm = Doubled(module.norm.num_features, affine=False)
    with patch.object(gpu, "candidates", wraps=gpu.candidates) as together:
        agree(Told(cell), *inputs, on_gpu=on_gpu)
    assert together.call_count == joint


def test_a_checkpointed_supernet_by_the_gpu_kernels(on_gpu):
    """What the backward pass needs is computed again, and may be read only once."""
    torch.manual_seed(0)
    names = ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3")
    # The second edge has no convolution, so that the sum of the node has weighted terms.
    mask = ((True, True, True, True), (True, True, True, False))
    masks = dict.fromkeys(("normal", "reduce"), mask)
    model = search_network(names, nodes=1, channels=2, cells=1, masks=masks, checkpointed=True)
    model = model.to(memory_format=torch.channels_last)
    agree(model, torch.randn(2, 3, 8, 8), on_gpu=on_gpu)
