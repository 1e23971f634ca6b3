"""What a configuration allows, and that its defaults are the constants of the papers."""

import pytest
from conftest import REPOSITORY

from ltnas import config as c


@pytest.mark.parametrize(
    "make",
    [
        lambda: c.Imbalance("exp", 1.0),
        lambda: c.Imbalance("step", 1e-3),
        lambda: c.Data("folder", root="photos", image_size=4, crop_padding=0),
        lambda: c.Data(mean=[0.0] * 3, std=[1e-3] * 3, subset_seed=2**32 - 1),
        lambda: c.Space(["skip_connect"], nodes=1),
        lambda: c.Space(nodes=30),
        lambda: c.BarlowTwins(hidden=1, outputs=1, min_crop_area=1.0, jitter=0.0),
        lambda: c.BarlowTwins(jitter_probability=0.0, grey_probability=1.0),
        lambda: c.Run(batch_size=2, channels=2, cells=1, epochs=1, limit_batches=1),
        lambda: c.Run(precision="bf16-mixed", seed=2**32 - 1),
        lambda: c.SearchConfig(
            relaxation=c.Sigmoid(), regulariser=c.ZeroOneL2(), selection=c.ThresholdEdge()
        ),
        lambda: c.RetrainConfig(genotype="a", drop_path=0.0, auxiliary=0.0, cutout=0),
        lambda: c.RetrainConfig(genotype="a", pretrain="barlow_twins", pretrain_epochs=1),
    ],
)
def test_the_edges_of_what_is_allowed(make):
    make()


@pytest.mark.parametrize(
    ("kind", "factor", "name"),
    [
        ("exp", 0.1, "exp0.1"),
        ("exp", 0.02, "exp0.02"),
        ("exp", 0.03, "exp0.03"),
        ("step", 0.01, "step0.01"),
        ("exp", 1.0, "exp1"),
        ("balance", None, "balance"),
        ("natural", None, "natural"),
    ],
)
def test_name_of_an_imbalance(kind, factor, name):
    assert c.Imbalance(kind, factor).name == name


def test_operations_are_those_of_darts_in_their_order():
    assert (
        *("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect"),
        *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
    ) == c.OPERATIONS
    assert c.Space().operations == list(c.OPERATIONS)
    assert (*c.OPERATIONS, "noise") == c.KNOWN_OPERATIONS
    assert c.Space().nodes == 4


def test_constants_of_the_axes():
    assert c.Softmax().initial_deviation == 1e-3
    assert c.Sigmoid().initial_deviation == 0.0
    assert c.BarlowTwins().off_diagonal_weight == 0.0051
    assert (c.ZeroOneL1().weight, c.ZeroOneL2().weight) == (1.0, 10.0)
    assert c.SecondOrder().perturbation == 0.01
    assert c.ThresholdSparse().threshold == c.ThresholdEdge().threshold == 0.85


@pytest.mark.parametrize("path", sorted((REPOSITORY / "conf" / "scheme").glob("*.yaml")))
def test_a_scheme_opens_with_command_cost_and_expectation(path):
    head = path.read_text(encoding="utf-8").partition("\nscheme:")[0].splitlines()
    assert head[1].startswith(f"# python -m ltnas.search scheme={path.stem} ")
    assert any(line.startswith("# Cost: ") and "COST" not in line for line in head)
    assert any(line.startswith("# Expect: ") for line in head)
