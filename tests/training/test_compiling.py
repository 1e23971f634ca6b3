"""Compiled cells: the same numbers, and nothing compiled twice."""

import pytest
import torch
from modules import batches, search_module
from torch._dynamo.utils import counters

from ltnas.kernels import calls
from ltnas.models.network import Network
from ltnas.space.genotype import Edge, Genotype, cell_genotype, load_genotype
from ltnas.training.compiling import compile_cells


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def compiled():
    return counters["stats"]["unique_graphs"]


def step(module, seed):
    both = batches(seed=seed)
    found, _ = module.architecture_gradient(both)
    module.weight_step(both["weights"])
    return found


def test_a_search_compiles_its_cells_once(monkeypatch):
    small = {"nodes": 1, "operations": ("skip_connect", "sep_conv_3x3", "avg_pool_3x3")}
    plain, module = search_module(**small), search_module(**small)
    compile_cells(module.network, backend="aot_eager")
    for seed in range(2):
        ours, theirs = step(module, seed), step(plain, seed)
        for name, gradient in ours.items():
            torch.testing.assert_close(gradient, theirs[name], rtol=1e-7, atol=1e-10)
    after_one = compiled()
    assert after_one >= 3  # three cells that differ
    for seed in range(2, 5):
        for group in module.alone.optimizers[0].param_groups:
            group["lr"] /= 2
        step(module, seed)
    assert compiled() == after_one
    assert not counters["graph_break"]


def test_retraining_compiles_nothing_again_when_drop_path_moves(monkeypatch):
    monkeypatch.setattr(calls, "kernels", lambda: None)
    torch.manual_seed(0)
    model = Network(load_genotype("darts_v2")[0], 4, 3, 5, False)
    compile_cells(model, backend="aot_eager")
    images = torch.randn(4, 3, 8, 8)
    seen = []
    for probability in (0.0, 0.1, 0.2, 0.3):
        model.set_drop_path(probability)
        model(images).square().sum().backward()
        seen.append(compiled())
    assert seen[0] >= 3
    assert seen[-1] == seen[0]
    assert not counters["graph_break"]


def test_more_cells_than_pytorchs_limit_of_compiled_forms():
    """Beyond it, 8 unless it is changed, cells would go on uncompiled, unnoticed."""
    cell = cell_genotype([Edge("max_pool_3x3", 2, 0), Edge("skip_connect", 2, 1)])
    model = Network(Genotype({"normal": cell, "reduce": cell}), 4, 10, 5, False)
    compile_cells(model, backend="aot_eager")
    images = torch.randn(2, 3, 8, 8)
    model(images)
    model.eval()
    with torch.no_grad():
        model(images)
    assert torch._dynamo.config.cache_size_limit >= 40  # the 20 cells of the papers, twice
    before = compiled()
    model(images.clone())
    assert compiled() > before  # evaluation with gradients: another form, still compiled
