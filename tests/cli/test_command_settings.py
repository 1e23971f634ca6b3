"""From a command line to a typed configuration."""

import itertools
import random
from pathlib import Path

import pytest
from composed import refusal, settings
from expected import DARTS, IMBALANCES, RECIPES, RETRAIN_AXES, SCHEMES, SEARCH_AXES

from ltnas import config as c
from ltnas.cli.help import CONF
from ltnas.config.axes import AXES
from ltnas.config.axis import choices

# --- defaults -----------------------------------------------------------------------------------


def test_search_defaults_are_those_of_the_papers():
    config = settings("search")
    assert type(config) is c.SearchConfig
    assert config.weights == c.WeightOptimiser(0.025, 0.001, 0.9, 3e-4, 5.0)
    assert config.architecture == c.ArchitectureOptimiser(3e-4, 0.5, 0.999, 1e-3)
    assert (config.batch_size, config.epochs) == (64, 40)
    assert (config.channels, config.cells) == (16, 8)
    assert (config.scheme, config.imbalance.name) == ("darts", "exp0.1")
    assert config.space == c.Space()
    assert config.data.source == "cifar10"
    assert (config.data.crop_padding, config.data.flip) == (4, True)
    assert (config.precision, config.resume, config.seed) == ("32", "never", 0)
    assert config.limit_batches is None


def test_retrain_defaults_are_those_of_the_papers():
    config = settings("retrain", "genotype=darts_v2")
    assert type(config) is c.RetrainConfig
    assert config.weights == c.WeightOptimiser(0.025, 0.0, 0.9, 3e-4, 5.0)
    assert (config.batch_size, config.epochs) == (64, 150)
    assert (config.channels, config.cells) == (36, 20)
    assert (config.drop_path, config.auxiliary, config.cutout) == (0.2, 0.4, 16)
    assert (config.stem, config.pretrain, config.pretrain_epochs) == ("auto", "none", 0)
    assert config.barlow_twins == c.BarlowTwins()


@pytest.mark.parametrize(("command", "extra"), [("search", []), ("retrain", ["genotype=darts_v2"])])
def test_files_and_dataclasses_have_the_same_defaults(command, extra):
    # A default that stands in both places must not drift apart.
    schema = c.SearchConfig() if command == "search" else c.RetrainConfig(genotype="darts_v2")
    config = settings(command, "imbalance=balance", "data=digits", *extra)
    config.data, config.imbalance = schema.data, schema.imbalance
    assert config == schema


# --- axes ---------------------------------------------------------------------------------------


UNLABELLED = ("barlow_twins", "masked_reconstruction")
"""Objectives whose own layers serve both steps, and that two branches cannot have."""


def rows():
    """Combinations that together hold every value of every axis, and that may be combined."""
    generator = random.Random(0)
    left = {(axis, value) for axis, values in SEARCH_AXES.items() for value in values}
    while left:
        drawn = {axis: generator.choice(list(values)) for axis, values in SEARCH_AXES.items()}
        row = fitting(drawn)
        if not left.isdisjoint(row.items()):
            left -= set(row.items())
            yield row


def fitting(row):
    """A combination with other values where two of it may not be combined."""
    row |= fitting_learners(row)
    if row["architecture_objective"] in UNLABELLED:
        row["objective"] = row["architecture_objective"]
    objectives = ("objective", "architecture_objective", "second_objective")
    if any("ldam" in row[axis] for axis in objectives):
        row["classifier"] = "cosine"
    if row["regulariser"].startswith("zero") or row["selection"].startswith("threshold"):
        row["relaxation"] = "sigmoid"
    if row["regulariser"] == "dirichlet_divergence":
        row |= {"relaxation": "dirichlet", "selection": "top2"}
    if row["progression"] != "none" and row["selection"] == "random":
        row["selection"] = "top2"
    if row["progression"] == "deepen" and row["gradient"] == "second_order":
        row["gradient"] = "first_order"
    if row["gradient"] in ("single_level", "none"):
        row |= {"architecture_objective": "same", "architecture_sampler": "same"}
        row["operation_stopping"] = "none"
    if row["gradient"] == "none":
        row["regulariser"] = "none"
    if row["gradient"] == "single_level" or row["relaxation"] == "hard_gumbel":
        row["perturbation"] = "none"
    if row["objective"] in UNLABELLED:
        row |= {"branches": "one", "rebalancing_sampler": "reversed"}
    elif row["rebalancing_sampler"] != "reversed":
        row["branches"] = "two"
    return row


def fitting_learners(row):
    """Values that the learners of a combination need."""
    if row["levels"] == "two":
        return {axis: DARTS[axis] for axis in DARTS if axis.startswith("second_")}
    needed = ("branches", "rebalancing_sampler", "perturbation", "operation_stopping")
    found = {axis: DARTS[axis] for axis in needed} | {"gradient": "second_order"}
    if row["levels"] == "interleaving":
        found["second_network"] = "supernet"
    else:
        objectives = ("objective", "architecture_objective", "second_objective")
        found |= {axis: DARTS[axis] for axis in objectives if row[axis] in UNLABELLED}
    return found | ({"progression": "none"} if row["progression"] == "deepen" else {})


ROWS = list(rows())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scheme_sets_its_axes(scheme):
    config = settings("search", f"scheme={scheme}")
    assert choices(config) == {**DARTS, **SCHEMES[scheme]}
    assert config.scheme == scheme


def test_rows_hold_every_value():
    for axis, values in SEARCH_AXES.items():
        assert {row[axis] for row in ROWS} == set(values)


@pytest.mark.parametrize(("scheme", "row"), list(zip(itertools.cycle(SCHEMES), ROWS, strict=False)))
def test_schemes_with_other_values_on_every_axis(scheme, row):
    wanted = row
    words = (f"{axis}={value}" for axis, value in wanted.items())
    # Sizes and limits that every value of every axis allows.
    sizes = ("channels=36", "cells=8", "partial_channels=1", "selection.most_skips=null")
    config = settings("search", *words, *sizes, f"scheme={scheme}")
    assert choices(config) == wanted
    for axis, value in wanted.items():
        assert type(getattr(config, axis)) is AXES[axis][value]


@pytest.mark.parametrize(
    ("scheme", "axis", "value"),
    [
        ("darts", "objective", "barlow_twins"),
        ("darts_2nd", "relaxation", "sigmoid"),
        ("fairdarts", "selection", "threshold_edge"),
        ("fairdarts", "regulariser", "zero_one_l2"),
        ("fairdarts_ssl", "objective", "cross_entropy"),
        ("fairdarts_ssl", "gradient", "second_order"),
        ("mae_nas", "macro", "broad"),
        ("mae_nas", "objective", "cross_entropy"),
        ("mae_nas", "objective", "barlow_twins"),
        ("random", "selection", "top2"),
    ],
)
def test_value_on_an_axis_replaces_the_schemes_and_no_other(scheme, axis, value):
    config = settings("search", f"{axis}={value}", f"scheme={scheme}")
    assert choices(config) == {**DARTS, **SCHEMES[scheme], axis: value}


def test_keys_of_an_axis_value():
    config = settings("search", "scheme=darts", "objective=barlow_twins", "objective.hidden=16")
    assert config.objective == c.BarlowTwins(hidden=16)
    config = settings("search", "scheme=fairdarts", "selection=threshold_edge")
    assert config.selection == c.ThresholdEdge(threshold=0.85)
    assert "objective.hidden" in refusal("search", "objective.hidden=16")  # of cross-entropy


def test_command_line_beats_a_scheme_and_an_experiment():
    config = settings("search", "scheme=fairdarts", "regulariser.weight=0.5", "channels=2")
    assert config.regulariser == c.ZeroOneL1(0.5)
    plain = settings("search", "experiment=demo_search")
    assert plain.data.source == "digits"
    assert plain.epochs != 3
    changed = settings("search", "experiment=demo_search", "epochs=3", "scheme=random")
    assert (changed.epochs, changed.scheme) == (3, "random")
    assert changed.channels == plain.channels != 16


@pytest.fixture(scope="module", params=["genotype=darts_v2", "network=resnet32"])
def network(request):
    """The words for a network, and the settings of its training without a recipe."""
    return request.param, settings("retrain", request.param)


@pytest.mark.parametrize("recipe", RECIPES)
def test_constants_of_a_recipe(recipe, network):
    network, plain = network
    config = settings("retrain", f"recipe={recipe}", network)
    epochs, batch_size, weights, others = RECIPES[recipe]
    assert (config.epochs, config.batch_size, config.weights) == (epochs, batch_size, weights)
    others_keys = ("crt", "sharpness", "sharpness_factor", "averaging", "adjust", "pretrain")
    for key in (*RETRAIN_AXES, *others_keys, "pretrain_weights"):
        assert getattr(config, key) == others.get(key, getattr(plain, key)), key


def test_recipes_are_those_that_there_are():
    assert {path.stem for path in (Path(CONF) / "recipe").glob("*.yaml")} == set(RECIPES)


def test_command_line_beats_a_recipe():
    changed = ("objective=focal", "epochs=7", "weights.learning_rate=0.2", "mix=cutmix")
    config = settings("retrain", "recipe=logit_adjustment", "genotype=darts_v2", *changed)
    assert config.objective == c.Focal()
    assert (config.epochs, config.weights.learning_rate) == (7, 0.2)
    assert config.mix == c.CutMix()
    assert config.weights.nesterov


def test_every_value_of_every_axis_of_a_retraining():
    for axis, values in RETRAIN_AXES.items():
        for name, value in values.items():
            branched = ("branches=two", "auxiliary=0") if axis == "rebalancing_sampler" else ()
            needs = (*NEEDS.get(value, ()), *branched)
            source = () if axis == "network" and "resnet" in name else ("genotype=a",)
            arguments = ("retrain", f"{axis}={name}", *source)
            if (axis, name) in OF_NO_USE:
                assert axis in refusal(*arguments)
                continue
            config = settings(*arguments, *needs)
            assert type(getattr(config, axis)) is value
            assert choices(config)[axis] == name


NEEDS = {
    c.Ldam: ("classifier=cosine",),
    c.LdamDrw: ("classifier=cosine",),
    c.TwoBranches: ("auxiliary=0",),
    c.MixupAndCutMix: ("objective=mixture_consistency",),
    c.MixtureConsistency: ("mix=mixup_and_cutmix",),
}
"""What else must be said."""

OF_NO_USE = {
    *((axis, name) for axis in ("objective", "crt_objective") for name in UNLABELLED),
    *(("crt_objective", "mixture_consistency"),),
}


SPACES = {
    "convolutions": ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
    "s2": ("skip_connect", "sep_conv_3x3"),
    "s3": ("none", "skip_connect", "sep_conv_3x3"),
    "s4": ("noise", "sep_conv_3x3"),
}


@pytest.mark.parametrize("name", SPACES)
def test_spaces_with_the_same_operations_on_each_edge(name):
    space = settings("search", f"space={name}").space
    assert space == c.Space(list(SPACES[name]))


SHORT = {
    **{"m": "max_pool_3x3", "a": "avg_pool_3x3", "i": "skip_connect"},
    **{"s": "sep_conv_3x3", "d": "dil_conv_3x3", "D": "dil_conv_5x5"},
}
S1 = {
    "normal_edges": "id iD iD is id mi is is id is mi id dD dD",
    "reduce_edges": "ma md ma ma iD ma ms id iD ma ma iD iD iD",
}
"""Space S1 of Zela et al. 2020, from the authors' code: two operations on each of 14 edges."""


def test_space_s1_is_the_published_list():
    space = settings("search", "space=s1").space
    assert space.operations == list(SHORT.values())
    for key, edges in S1.items():
        wanted = [[SHORT[letter] for letter in edge] for edge in edges.split()]
        assert getattr(space, key) == wanted


def test_another_number_of_nodes_does_not_fit_the_list_of_s1():
    message = refusal("search", "space=s1", "space.nodes=3")
    assert "space.normal_edges lists 14 edges" in message
    assert "has 9" in message


def test_the_operations_of_edges_may_be_words_of_the_command_line():
    words = ("space.nodes=1", "space.reduce_edges=[[skip_connect],[none,sep_conv_3x3]]")
    space = settings("search", *words).space
    assert space.normal_edges is None
    assert space.reduce_edges == [["skip_connect"], ["none", "sep_conv_3x3"]]


def test_space_without_none():
    config = settings("search", "space=without_none")
    assert config.space.operations == list(c.OPERATIONS[1:])


# --- data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMBALANCES)
@pytest.mark.parametrize("command", ["search", "retrain"])
def test_imbalance_choice(command, name):
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    imbalance = settings(command, f"imbalance={name}", *genotype).imbalance
    assert (imbalance.kind, imbalance.factor) == IMBALANCES[name]
    assert imbalance.name == name


@pytest.mark.parametrize("kind", ["exp", "step"])
def test_imbalance_with_a_factor_of_ones_own(kind):
    imbalance = settings("search", f"imbalance={kind}", "imbalance.factor=0.03").imbalance
    assert imbalance == c.Imbalance(kind, 0.03)
    assert f"imbalance={kind} needs a factor" in refusal("search", f"imbalance={kind}")


@pytest.mark.parametrize(
    ("name", "extra", "size"),
    [
        ("cifar10", (), None),
        ("cifar10_parquet", ("data.root=x",), None),
        ("cifar100", (), None),
        ("list", ("data.root=x",), 32),
        ("npz", ("data.root=x",), None),
        ("parquet", ("data.hub=x/y",), None),
        ("torchvision", ("data.name=SVHN",), None),
        ("digits", (), None),
        ("folder", ("data.root=x",), 32),
    ],
)
def test_data_choice(name, extra, size):
    data = settings("search", f"data={name}", *extra).data
    assert (data.source, data.image_size) == (name, size)
    assert data.flip is (name != "digits")
    assert (data.mean is not None) is name.startswith("cifar")


@pytest.mark.parametrize(
    ("name", "accelerator", "devices"),
    [("auto", "auto", 1), ("cpu", "cpu", 1), ("gpu", "gpu", 1), ("ddp", "auto", 2)],
)
def test_trainer_choice(name, accelerator, devices):
    trainer = settings("search", f"trainer={name}").trainer
    assert (trainer.accelerator, trainer.devices) == (accelerator, devices)


@pytest.mark.parametrize("name", ["csv", "mlflow", "none", "tensorboard", "wandb"])
def test_logger_choice(name):
    assert settings("search", f"logger={name}").logger.kind == name
