"""From a command line to a typed configuration, and from a wrong one to one line."""

import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY
from hydra import compose, initialize_config_dir
from hydra.core.utils import _save_config
from omegaconf import OmegaConf

from ltnas import config as c
from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF
from ltnas.cli.messages import refuse_new_keys, refuse_run_folders, user_message
from ltnas.config.axes import AXES
from ltnas.config.axis import choices
from ltnas.errors import UserError
from ltnas.space.genotype import published_names

SCHEMES = {
    "darts": {},
    "darts_2nd": {"gradient": "second_order"},
    "fairdarts": {"relaxation": "sigmoid", "regulariser": "zero_one_l1"},
    "fairdarts_ssl": {
        "relaxation": "sigmoid",
        "regulariser": "zero_one_l1",
        "objective": "barlow_twins",
    },
    "darts_bbn": {"branches": "two", "schedule": "heterogeneous"},
    "random": {"selection": "random"},
}
"""What each scheme has other than DARTS."""

DARTS = {
    "relaxation": "softmax",
    "objective": "cross_entropy",
    "architecture_objective": "same",
    "sampler": "instance_balanced",
    "architecture_sampler": "same",
    "branches": "one",
    "rebalancing_sampler": "reversed",
    "classifier": "linear",
    "regulariser": "none",
    "gradient": "first_order",
    "schedule": "constant",
    "selection": "top2",
}

FIELD = c.WeightOptimiser(
    0.1, 0.0, 0.9, 2e-4, None, warmup_epochs=5, decay="steps", steps=[0.8, 0.9], factor=0.01
)
"""ResNet-32's of the field (Cao et al. 2019): rates fall at 160 and 180 of 200 epochs."""

RECIPES = {
    "paper": (150, 64, c.WeightOptimiser(0.025, 0.0, 0.9, 3e-4, 5.0), {}),
    "cross_entropy": (200, 128, FIELD, {}),
    "ldam_drw": (
        *(150, 64, c.WeightOptimiser(0.025, 0.0, 0.9, 3e-4, 5.0)),
        {"objective": c.LdamDrw(start=0.8, max_margin=0.5), "classifier": c.CosineClassifier(30.0)},
    ),
    "paper_ldam_drw": (
        *(200, 128, FIELD),
        {"objective": c.LdamDrw(beta=0.9999, start=0.8), "classifier": c.CosineClassifier(30.0)},
    ),
    "logit_adjustment": (
        *(200, 128, replace(FIELD, nesterov=True)),
        {"objective": c.LogitAdjusted(tau=1.0)},
    ),
    "bbn": (
        *(200, 128, replace(FIELD, nesterov=True, steps=[0.6, 0.8])),
        {"branches": c.TwoBranches(1, "parabolic"), "rebalancing_sampler": c.ReversedSampler()},
    ),
    "crt": (200, 128, FIELD, {"crt": c.ClassifierStage(30, 0.1, fresh=True)}),
    "mislas": (
        *(200, 128, replace(FIELD, weight_decay=5e-4)),
        {
            "mix": c.Mixup(1.0),
            "crt": c.ClassifierStage(10, 0.05, fresh=False),
            "crt_objective": c.LabelAwareSmoothing(head=0.3, tail=0.0),
        },
    ),
    "vs_sam": (
        *(400, 128, replace(FIELD, weight_decay=1e-4)),
        {
            "objective": c.VectorScaling(tau=1.0, gamma=0.05),
            "augmentation": c.RandAugment(),
            "sharpness": 0.1,
        },
    ),
    "glmc": (
        *(200, 64, c.WeightOptimiser(0.01, 0.0, 0.9, 5e-3, None, warmup_epochs=10)),
        {
            "objective": c.MixtureConsistency(exponent=1.2, consistency=4.0),
            "mix": c.MixupAndCutMix(1.0),
        },
    ),
    "strong": (
        *(400, 128, c.WeightOptimiser(0.1, 0.0, 0.9, 5e-4, None, True, 5)),
        {
            "objective": c.LogitAdjusted(),
            "mix": c.MixupOrCutMix(),
            "augmentation": c.RandAugment(),
            "sharpness": 0.1,
            "averaging": 0.999,
        },
    ),
}
"""Epochs, batch size, weights, and what else is not the default."""

IMBALANCES = {
    "balance": ("balance", None),
    "natural": ("natural", None),
    "exp0.1": ("exp", 0.1),
    "exp0.02": ("exp", 0.02),
    "exp0.01": ("exp", 0.01),
    "step0.1": ("step", 0.1),
    "step0.01": ("step", 0.01),
}


@pytest.fixture(scope="module", autouse=True)
def configs():
    """Hydra, told of our configurations."""
    register_configs()
    with initialize_config_dir(CONF, version_base="1.3"):
        yield


def composed(command, *arguments):
    return OmegaConf.to_object(compose(command, list(arguments)))


def refusal(command, *arguments):
    """The line that a user sees for these arguments."""
    with pytest.raises(Exception) as caught:
        composed(command, *arguments)
    message = user_message(caught.value)
    assert message
    assert "\n" not in message
    return message


# --- defaults -----------------------------------------------------------------------------------


def test_search_defaults_are_those_of_the_papers():
    config = composed("search")
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
    config = composed("retrain", "genotype=darts_v2")
    assert type(config) is c.RetrainConfig
    assert config.weights == c.WeightOptimiser(0.025, 0.0, 0.9, 3e-4, 5.0)
    assert (config.batch_size, config.epochs) == (64, 150)
    assert (config.channels, config.cells) == (36, 20)
    assert (config.drop_path, config.auxiliary, config.cutout) == (0.2, 0.4, 16)
    assert (config.stem, config.pretrain, config.pretrain_epochs) == ("cifar", "none", 0)
    assert config.barlow_twins == c.BarlowTwins()


@pytest.mark.parametrize(("command", "extra"), [("search", []), ("retrain", ["genotype=darts_v2"])])
def test_files_and_dataclasses_have_the_same_defaults(command, extra):
    # A default that stands in both places must not drift apart.
    schema = c.SearchConfig() if command == "search" else c.RetrainConfig(genotype="darts_v2")
    config = composed(command, "imbalance=balance", "data=digits", *extra)
    config.data, config.imbalance = schema.data, schema.imbalance
    assert config == schema


# --- axes ---------------------------------------------------------------------------------------


def of_searches(axis, values):
    """The values that a search can have: a loss of mixed images is no loss of its."""
    return {name: value for name, value in values.items() if name != "mixture_consistency"}


RETRAIN_AXES = {
    axis: values for axis, values in AXES.items() if hasattr(c.RetrainConfig(genotype="a"), axis)
}
SEARCH_AXES = {
    axis: of_searches(axis, values)
    for axis, values in AXES.items()
    if hasattr(c.SearchConfig(), axis)
}


def rows():
    """Combinations that together hold every value of every axis, and that may be combined."""
    for i in range(max(map(len, SEARCH_AXES.values()))):
        row = {axis: list(values)[i % len(values)] for axis, values in SEARCH_AXES.items()}
        if row["architecture_objective"] == "barlow_twins":
            row["objective"] = "barlow_twins"
        if "ldam" in row["objective"] + row["architecture_objective"]:
            row["classifier"] = "cosine"
        if row["regulariser"] != "none" or row["selection"].startswith("threshold"):
            row["relaxation"] = "sigmoid"
        if row["objective"] == "barlow_twins":
            row |= {"branches": "one", "rebalancing_sampler": "reversed"}
        elif row["rebalancing_sampler"] != "reversed":
            row["branches"] = "two"
        yield row


ROWS = list(rows())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scheme_sets_its_axes(scheme):
    config = composed("search", f"scheme={scheme}")
    assert choices(config) == {**DARTS, **SCHEMES[scheme]}
    assert config.scheme == scheme


def test_rows_hold_every_value():
    for axis, values in SEARCH_AXES.items():
        assert {row[axis] for row in ROWS} == set(values)


@pytest.mark.parametrize(("scheme", "row"), list(zip(itertools.cycle(SCHEMES), ROWS, strict=False)))
def test_schemes_with_other_values_on_every_axis(scheme, row):
    wanted = row
    config = composed(
        "search", *(f"{axis}={value}" for axis, value in wanted.items()), f"scheme={scheme}"
    )
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
        ("random", "selection", "top2"),
    ],
)
def test_value_on_an_axis_replaces_the_schemes_and_no_other(scheme, axis, value):
    config = composed("search", f"{axis}={value}", f"scheme={scheme}")
    assert choices(config) == {**DARTS, **SCHEMES[scheme], axis: value}


def test_keys_of_an_axis_value():
    config = composed("search", "scheme=darts", "objective=barlow_twins", "objective.hidden=16")
    assert config.objective == c.BarlowTwins(hidden=16)
    config = composed("search", "scheme=fairdarts", "selection=threshold_edge")
    assert config.selection == c.ThresholdEdge(0.85)
    assert "objective.hidden" in refusal("search", "objective.hidden=16")  # of cross-entropy


def test_command_line_beats_a_scheme_and_an_experiment():
    config = composed("search", "scheme=fairdarts", "regulariser.weight=0.5", "channels=2")
    assert config.regulariser == c.ZeroOneL1(0.5)
    plain = composed("search", "experiment=demo_search")
    assert plain.data.source == "digits"
    assert plain.epochs != 3
    changed = composed("search", "experiment=demo_search", "epochs=3", "scheme=random")
    assert (changed.epochs, changed.scheme) == (3, "random")
    assert changed.channels == plain.channels != 16


@pytest.mark.parametrize("network", ["genotype=darts_v2", "network=resnet32"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_constants_of_a_recipe(recipe, network):
    config = composed("retrain", f"recipe={recipe}", network)
    epochs, batch_size, weights, others = RECIPES[recipe]
    assert (config.epochs, config.batch_size, config.weights) == (epochs, batch_size, weights)
    plain = composed("retrain", network)
    for key in (*RETRAIN_AXES, "crt", "sharpness", "averaging", "adjust", "pretrain"):
        assert getattr(config, key) == others.get(key, getattr(plain, key)), key


def test_recipes_are_those_that_there_are():
    assert {path.stem for path in (Path(CONF) / "recipe").glob("*.yaml")} == set(RECIPES)


def test_command_line_beats_a_recipe():
    changed = ("objective=focal", "epochs=7", "weights.learning_rate=0.2", "mix=cutmix")
    config = composed("retrain", "recipe=strong", "genotype=darts_v2", *changed)
    assert config.objective == c.Focal()
    assert (config.epochs, config.weights.learning_rate) == (7, 0.2)
    assert config.mix == c.CutMix()
    assert config.sharpness == 0.1


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
            config = composed(*arguments, *needs)
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
    *(("objective", "barlow_twins"), ("crt_objective", "barlow_twins")),
    *(("crt_objective", "mixture_consistency"),),
}


def test_space_without_none():
    config = composed("search", "space=without_none")
    assert config.space.operations == list(c.OPERATIONS[1:])


# --- data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMBALANCES)
@pytest.mark.parametrize("command", ["search", "retrain"])
def test_imbalance_choice(command, name):
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    imbalance = composed(command, f"imbalance={name}", *genotype).imbalance
    assert (imbalance.kind, imbalance.factor) == IMBALANCES[name]
    assert imbalance.name == name


@pytest.mark.parametrize("kind", ["exp", "step"])
def test_imbalance_with_a_factor_of_ones_own(kind):
    imbalance = composed("search", f"imbalance={kind}", "imbalance.factor=0.03").imbalance
    assert imbalance == c.Imbalance(kind, 0.03)
    assert f"imbalance={kind} needs a factor" in refusal("search", f"imbalance={kind}")


@pytest.mark.parametrize(
    ("name", "extra", "size"),
    [
        ("cifar10", (), None),
        ("cifar10_parquet", ("data.root=x",), None),
        ("digits", (), None),
        ("folder", ("data.root=x",), 32),
    ],
)
def test_data_choice(name, extra, size):
    data = composed("search", f"data={name}", *extra).data
    assert (data.source, data.image_size) == (name, size)
    assert data.flip is (name != "digits")
    assert (data.mean is not None) is name.startswith("cifar10")


@pytest.mark.parametrize(
    ("name", "accelerator", "devices"),
    [("auto", "auto", 1), ("cpu", "cpu", 1), ("gpu", "gpu", 1), ("ddp", "auto", 2)],
)
def test_trainer_choice(name, accelerator, devices):
    trainer = composed("search", f"trainer={name}").trainer
    assert (trainer.accelerator, trainer.devices) == (accelerator, devices)


@pytest.mark.parametrize("name", ["csv", "none", "tensorboard", "wandb"])
def test_logger_choice(name):
    assert composed("search", f"logger={name}").logger.kind == name


# --- what is wrong, in one line -----------------------------------------------------------------


def test_unknown_scheme_with_the_near_miss():
    message = refusal("search", "scheme=fairdart")
    assert message.startswith("scheme=fairdart is not known: did you mean scheme=fairdarts?")
    assert "choose one of darts, darts_2nd, darts_bbn, fairdarts, fairdarts_ssl, random" in message


def test_unknown_scheme_like_nothing():
    message = refusal("search", "scheme=xyz")
    assert message.startswith("scheme=xyz is not known: choose one of darts,")
    assert "did you mean" not in message


@pytest.mark.parametrize("group", ["data", "imbalance", "experiment", "trainer", "logger", "space"])
def test_unknown_choice_of_a_group(group):
    assert refusal("search", f"{group}=xyz").startswith(f"{group}=xyz is not known: choose one of")


@pytest.mark.parametrize("argument", ["imbalance=0.1", "logger=null", "trainer=2"])
def test_choice_that_is_no_name(argument):
    assert "give the name of a choice" in refusal("search", argument)


@pytest.mark.parametrize("key", ["epoch", "weights.lr", "data.rot", "trainer.device"])
def test_unknown_key(key):
    message = refusal("search", f"{key}=1")
    assert key.rpartition(".")[2] in message
    assert "--help lists the keys" in message


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", "many"), ("data.flip", "3.5"), ("weights.clip", "x")]
)
def test_wrong_type(key, value):
    message = refusal("search", f"{key}={value}")
    assert key in message
    assert value in message


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("search", ["objective=ldam"], "objective=ldam needs a normalised classifier"),
        (
            "search",
            ["architecture_objective=ldam_drw"],
            "architecture_objective=ldam needs a normalised",
        ),
        ("search", ["architecture_objective=barlow_twins"], "its projector would never learn"),
        ("search", ["sampler=reversed", "sampler.start=1"], "must lie in [0, 1): a share"),
        ("search", ["objective.start=0.5"], "there is nothing to start"),
        ("search", ["objective=balanced_softmax", "objective.tau=2"], "it has no constants"),
        ("search", ["objective.reweight=inverse"], "choose one of none, inverse_frequency,"),
        ("retrain", ["objective=ldam_drw"], "add classifier=cosine"),
        ("retrain", ["objective=barlow_twins"], "has no labels to train the classifier with"),
        ("retrain", ["objective=logit_adjusted", "adjust=1"], "it would be done twice"),
        ("retrain", ["classifier=cosine", "adjust=1"], "a cosine has none"),
        ("retrain", ["adjust=-1"], "adjust=-1.0 must be 0 or more"),
    ],
)
def test_values_that_cannot_be_combined(command, arguments, words):
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    assert words in refusal(command, *arguments, *genotype)


def test_values_that_can_be_combined():
    for objective in ("ldam", "ldam_drw"):
        for classifier in ("cosine", "simplex"):
            composed("search", f"objective={objective}", f"classifier={classifier}")
    composed(
        "retrain", "genotype=darts_v2", "objective=vector_scaling", "objective.tau=0", "adjust=1"
    )


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("imbalance.factor=100", "as a ratio of the smallest class to the largest it is 0.01"),
        ("imbalance.factor=3", "as a ratio of the smallest class to the largest it is 0.333333"),
        ("imbalance.factor=0", "to the largest, for example 0.1"),
        ("imbalance.factor=inf", "to the largest, for example 0.1"),
        ("imbalance=exp100", "100 is 0.01; take imbalance=exp0.01"),
        ("imbalance=step100", "100 is 0.01; take imbalance=step0.01"),
        ("imbalance=exp50", "50 is 0.02; take imbalance=exp0.02"),
        ("imbalance=step50", "50 is 0.02; take imbalance=step imbalance.factor=0.02"),
        ("imbalance=exp0.03", "is not known: take imbalance=exp imbalance.factor=0.03"),
        ("imbalance=exp0", "did you mean imbalance=exp?"),
    ],
)
def test_an_imbalance_the_other_way_round(argument, words):
    message = refusal("search", argument)
    assert message.startswith(argument)
    assert words in message


@pytest.mark.parametrize("text", ["照片", "a#b", "~/photos", "a=b", "photos (1)"])
def test_a_path_that_must_be_quoted(text):
    message = refusal("search", f"data.root={text}")
    assert message.startswith(f"data.root={text}: a text with quotes,")
    typed = f"data.root='{text}'"
    assert message.endswith(f'must be quoted: type "{typed}"')
    assert composed("search", typed).data.root == text


def test_a_text_with_a_comma_outside_a_multirun():
    message = refusal("search", "data.root=a,b")
    assert "for a text with a comma type \"data.root='a,b'\"" in message


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("space.operations=[none", "if the value is a text, type \"space.operations='[none'\""),
        ("epochs", "epochs cannot be read as key=value: --help shows examples"),
    ],
)
def test_a_word_that_quotes_may_not_mend(word, words):
    message = refusal("search", word)
    assert message.startswith(f"{word} cannot be read as key=value")
    assert message.endswith(words)


CONFIG_FILES = {
    "a tab": (b"epochs: 1\nweights:\n\tclip: 1\n", ", line 3: a tab stands where"),
    "Latin-1": (b"epochs: 1\n# gr\xf6\xdfe\n", ", line 2: byte 0xf6 is not UTF-8: save"),
    "UTF-16": ("epochs: 1\n".encode("utf-16"), ", line 1: byte 0xff is not UTF-8: save"),
    "Latin-1 far down": (b"# 1\n" * 9999 + b"\xe4", ", line 10000: byte 0xe4 is not UTF-8"),
    "an open bracket": (b"steps: [1\n", " is not YAML (expected ',' or ']'"),
    "a key twice": (b"epochs: 1\nepochs: 2\n", ", line 2 is not YAML (found duplicate key epochs)"),
    "a control character": (b"epochs: 1\x07\n", " is not YAML (unacceptable character #x0007"),
    "a number": (b"5\n", " cannot be read (Invalid loaded object type: int)"),
}


@pytest.mark.parametrize("what", CONFIG_FILES)
def test_an_experiment_file_that_cannot_be_read(tmp_path, what):
    content, words = CONFIG_FILES[what]
    path = tmp_path / "experiment" / "mine.yaml"
    path.parent.mkdir()
    path.write_bytes(content)
    message = refusal("search", f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")
    assert message.startswith(str(path))
    assert words in message


def test_a_defaults_list_that_is_none(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("defaults: {data: digits}\n")
    message = refusal("search", f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")
    assert "Invalid defaults list in 'experiment/mine'" in message
    assert "write each of its lines as - GROUP: CHOICE" in message


@pytest.mark.parametrize("argument", ["epochs", "space.operations=[none", "a=b=c", "=3"])
def test_syntax_error(argument):
    refusal("search", argument)


def test_our_own_errors_pass_and_bugs_do_not():
    assert user_message(UserError("mend it so")) == "mend it so"
    assert user_message(ZeroDivisionError("ours")) is None
    assert user_message(ValueError("ours")) is None


def failed_mkdir(make):
    """The error of a function that makes a folder where there cannot be one."""
    with pytest.raises(OSError) as caught:
        make()
    return caught.value


def test_only_for_a_folder_of_a_sweep_is_another_one_advised(tmp_path):
    (tmp_path / "file").touch()
    error = failed_mkdir(lambda: _save_config(OmegaConf.create(), "x", tmp_path / "file" / "x"))
    assert user_message(error) == (
        f"{tmp_path}/file/x: no folder can be made there (Not a directory); take another by "
        "runs=FOLDER"
    )
    assert user_message(failed_mkdir((tmp_path / "file" / "x").mkdir)) is None


def test_words_that_are_no_paths_are_no_run_folders(run_folder):
    seeds = f"seed={','.join(map(str, range(300)))}"
    refuse_run_folders(["-m", seeds, "x" * 300, f"--config-dir={'x' * 300}", "a\0b", ""])
    refuse_run_folders([f"resume={run_folder}"])
    with pytest.raises(UserError, match=f"^{run_folder} is a run folder"):
        refuse_run_folders(["seed=0", str(run_folder)])


# --- as a program -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "words"),
    [("scheme=dart", "did you mean scheme=darts?"), ("imbalance.factor=3", "outside (0, 1]")],
)
def test_wrong_command_line_ends_with_2_and_one_line(ltnas, tmp_path, argument, words):
    done = ltnas("search", argument)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ltnas: {argument}")
    assert words in line
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_several_devices_inside_a_multirun_are_refused(ltnas, tmp_path):
    done = ltnas("search", "-m", "seed=0,1", "trainer.devices=2", *TINY)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ltnas: trainer.devices=2 inside a multirun")
    assert "without -m" in last
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/search-*"))


def test_multirun_makes_a_folder_for_each_job(ltnas, tmp_path):
    done = ltnas("search", "-m", "seed=0,1", "scheme=random", *TINY)
    assert done.returncode == 0, done.stderr
    found = [json.loads(path.read_text()) for path in tmp_path.glob("runs/search-*/metrics.json")]
    assert sorted(metrics["seed"] for metrics in found) == [0, 1]


def test_a_multirun_with_resume_auto_skips_what_has_finished(ltnas, tmp_path):
    def finished(*words):
        done = ltnas("search", *words, "scheme=random", *TINY)
        assert done.returncode == 0, done.stderr
        folders = [line for line in done.stdout.splitlines() if line.startswith("runs/")]
        return folders, len(list(tmp_path.glob("runs/search-*/metrics.json")))

    first, _ = finished("seed=0")
    both, count = finished("-m", "seed=0,1", "resume=auto")
    assert (both[:1], len(both), count) == (first, 2, 2)
    assert finished("-m", "seed=0,1", "resume=auto") == (both, 2)
    again, count = finished("-m", "seed=0", "resume=never")
    assert again != first
    assert count == 3


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run with the files that could be taken for a configuration."""
    folder = tmp_path / "runs" / "search-darts"
    folder.mkdir(parents=True)
    (folder / "fingerprint.json").write_text("{}")
    (folder / "config.yaml").write_text("epochs: 1\n")
    return folder


@pytest.mark.parametrize(
    "flags",
    [
        ["--config-path", "{folder}", "--config-name", "config"],
        ["--config-dir={folder}", "--config-name=config"],
        ["seed=1", "-cd", "runs/search-darts", "-cn", "config"],
        ["-m", "--config-path", "{folder}", "--config-name", "config", "seed=0,1"],
    ],
)
def test_a_run_folder_is_no_folder_of_configuration_files(ltnas, run_folder, flags):
    done = ltnas("search", *(flag.format(folder=run_folder) for flag in flags))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "runs/search-darts is a run folder, not a folder of configuration files" in line
    assert "runs/search-darts/provenance.json; to go on with it, add resume=" in line


def test_a_configuration_file_that_is_none_of_the_command(ltnas, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text("epochs: 1\n")
    done = ltnas("search", "--config-dir", "own", "--config-name", "mine")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "ltnas: --config-name mine: this file is no configuration of ltnas.search"
    )
    assert "experiment=mine" in line


def test_flags_of_hydra_may_follow_keys(ltnas, tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "mine.yaml").write_text("# @package _global_\nepochs: 7\n")
    words = ("seed=3", "--config-dir", "own", "experiment=mine", "--cfg", "job", "channels=4")
    done = ltnas("search", *words)
    assert done.returncode == 0, done.stderr
    shown = OmegaConf.create(done.stdout)
    assert (shown.seed, shown.epochs, shown.channels) == (3, 7, 4)


@pytest.fixture(scope="module")
def helps(tmp_path_factory):
    """The help text of the commands."""
    folder = tmp_path_factory.mktemp("help")
    texts = {}
    for command in ("search", "retrain", "pipeline"):
        done = subprocess.run(
            [sys.executable, "-m", f"ltnas.{command}", "--help"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        texts[command] = done.stdout
    assert list(folder.iterdir()) == []
    return texts


@pytest.mark.parametrize("command", ["search", "retrain"])
def test_help_lists_choices_and_examples(helps, command):
    text = helps[command]
    examples = [line for line in text.splitlines() if f"python -m ltnas.{command} " in line]
    assert len(examples) >= 5
    groups = {"imbalance": IMBALANCES, "data": ["digits", "folder"], "trainer": ["cpu", "ddp"]}
    if command == "search":
        groups["scheme"] = SCHEMES
    else:
        groups["recipe"] = RECIPES
    own = SEARCH_AXES if command == "search" else RETRAIN_AXES
    groups |= {
        axis: own[axis]
        for axis in (
            ("objective", "schedule") if command == "search" else ("network", "mix", "augmentation")
        )
    }
    lines = text.replace(",\n    ", ", ").splitlines()
    for group, names in groups.items():
        (line,) = (line.strip() for line in lines if line.startswith(f"  {group}: "))
        assert set(names) <= set(line.removeprefix(f"{group}: ").split(", "))
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", ["search", "retrain"])
def test_keys_in_the_help_are_keys(helps, command):
    keys = helps[command].partition("\nKeys\n")[2].partition("and the keys of each group")[0]
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    config = composed(command, *genotype)
    found = [key.removesuffix(".*") for key in keys.split()]
    assert len(found) > 8
    assert [key for key in found if not hasattr(config, key)] == []


def test_help_of_the_pipeline(helps):
    text = helps["pipeline"]
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(re.search(r"scale: (.*)", text)[1].split(", ")) == {"paper", "small", "smoke"}
    named = set(re.search(r"experiment: (.*) \(sweeps", text)[1].split(", "))
    files = {path.stem for path in (REPOSITORY / "conf" / "experiment").glob("*.yaml")}
    assert named == {name for name in files if not name.startswith("demo")}


def test_help_lists_the_published_genotypes(helps):
    paragraph = helps["retrain"].partition("Published genotypes\n")[2].partition("\n\n")[0]
    assert " ".join(paragraph.split()) == ", ".join(published_names())
    lines = paragraph.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("  ") for line in lines)
    assert "darts_v2" in paragraph


@pytest.mark.parametrize("command", ["search", "retrain", "pipeline"])
def test_help_does_not_load_torch(command):
    code = (
        "import sys, atexit\n"
        "loaded = {'torch', 'lightning', 'torchvision', 'matplotlib', 'wandb', 'sklearn'}\n"
        "atexit.register(lambda: print('loaded', *sorted(loaded & set(sys.modules))))\n"
        "import runpy\n"
        "sys.argv[1:] = ['--help']\n"
        f"runpy.run_module('ltnas.{command}', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Choices" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded"


def test_a_key_that_does_not_exist_cannot_be_added():
    with pytest.raises(UserError, match=r"\+epohcs=3: SearchConfig has no key epohcs"):
        refuse_new_keys(c.SearchConfig, ["seed=1", "+epohcs=3"])
    refuse_new_keys(c.SearchConfig, ["seed=1", "+experiment=demo_search", "scheme=darts"])
