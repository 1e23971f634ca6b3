"""Models by the GPU kernels, run by Triton's interpreter, beside the same models in PyTorch."""

import copy

import pytest
import torch
from networks import search_network
from torch import nn

from ltnas.kernels import gpu
from ltnas.models import native_executor, operation_kernels, rectified
from ltnas.models.network import Network
from ltnas.space.genotype import load_genotype


@pytest.fixture
def on_gpu(monkeypatch):
    """Return a function that makes models use the GPU kernels from then on, without a GPU."""

    def switch():
        monkeypatch.setattr(gpu, "takes", lambda x: x.dtype == torch.float32)

    # Neither side uses the CPU kernels.
    for module in (native_executor, operation_kernels, rectified):
        monkeypatch.setattr(module, "kernels", lambda: None)
    return switch


def results(model, images):
    """Return the logits, all gradients, and all buffers after one pass in training."""
    torch.manual_seed(1)
    model = copy.deepcopy(model)
    logits = model(images)
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(
        logits.square().sum(), list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    named = {"logits": logits.detach(), **dict(zip(parameters, gradients, strict=True))}
    return {name: value.double() for name, value in (named | dict(model.named_buffers())).items()}


def agree(model, images, on_gpu):
    expected = results(model, images)
    on_gpu()
    found = results(model, images)
    assert found.keys() == expected.keys()
    scale = max(float(value.norm()) for value in expected.values())
    for name, value in expected.items():
        difference = float((found[name] - value).norm())
        assert difference <= 2e-4 * float(value.norm()) + 1e-6 * scale, name


def test_a_supernet_by_the_gpu_kernels(on_gpu):
    torch.manual_seed(0)
    model = search_network(nodes=2, channels=2, cells=3).to(memory_format=torch.channels_last)
    agree(model, torch.randn(2, 3, 8, 8), on_gpu)


def test_a_discrete_network_by_the_gpu_kernels(on_gpu):
    torch.manual_seed(0)
    model = Network(load_genotype("darts_v2")[0], 4, 3, 10, False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    model.set_drop_path(0.3)
    agree(model.to(memory_format=torch.channels_last), torch.randn(2, 3, 8, 8), on_gpu)
