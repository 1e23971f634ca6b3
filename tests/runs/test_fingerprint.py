"""Fingerprints: equal for equal runs, whatever classes are called and fields are added."""

import json
from dataclasses import dataclass, field, make_dataclass, replace

import pytest

from ltnas import config as c
from ltnas.config.axis import axis, choices
from ltnas.runs import fingerprint as module
from ltnas.runs.fingerprint import defaults, differences, fingerprint, stored_fingerprint
from ltnas.runs.fingerprint_0_1_0 import NAMES

SEARCH_OF_0_1_0 = """
{"data": {"source": "digits", "root": null, "image_size": null, "mean": null, "std": null,
"crop_padding": 4, "flip": true, "subset_seed": 0, "few_below": null, "many_above": null},
"imbalance": {"kind": "exp", "factor": 0.1}, "weights": {"learning_rate": 0.025,
"final_learning_rate": 0.001, "momentum": 0.9, "weight_decay": 0.0003, "clip": 5.0,
"nesterov": false, "warmup_epochs": 0, "decay": "cosine", "steps": [0.8, 0.9], "factor":
0.01}, "seed": 3, "epochs": 40, "batch_size": 64, "channels": 16, "cells": 8,
"limit_batches": null, "precision": "32", "compile": false, "scheme": "darts_bbn", "space":
{"operations": ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3",
"sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"], "nodes": 4}, "relaxation":
{"initial_deviation": 0.0}, "objective": {"reweight": "none", "exponent": 1.0, "beta":
0.9999, "start": 0.0}, "architecture_objective": {"start": 0.0}, "sampler": {"start": 0.0},
"architecture_sampler": {"start": 0.5}, "branches": {"depth": 1, "mixing": "cosine"},
"rebalancing_sampler": {"start": 0.0}, "classifier": {}, "regulariser": {"weight": 0.5},
"gradient": {}, "schedule": {"last": 0.0, "kappa": 1.0}, "selection": {"threshold": 0.85},
"architecture": {"learning_rate": 0.0003, "beta1": 0.5, "beta2": 0.999, "weight_decay":
0.001}, "collapse": {"skip_share": 0.5, "patience": 3, "hessian_every": 5},
"stop_on_collapse": false, "checkpoint_cells": false, "types": {"data": "Data", "imbalance":
"Imbalance", "trainer": "Trainer", "logger": "Logger", "weights": "WeightOptimiser",
"space": "Space", "relaxation": "Sigmoid", "objective": "CrossEntropy",
"architecture_objective": "Same", "sampler": "InstanceSampler", "architecture_sampler":
"ReversedSampler", "branches": "TwoBranches", "rebalancing_sampler": "ReversedSampler",
"classifier": "LinearClassifier", "regulariser": "ZeroOneL1", "gradient": "FirstOrder",
"schedule": "Heterogeneous", "selection": "ThresholdEdge", "architecture":
"ArchitectureOptimiser", "collapse": "Collapse"}}
"""
"""Written by version 0.1.0 for `SEARCH`."""
RETRAIN_OF_0_1_0 = """
{"data": {"source": "cifar10", "root": null, "image_size": null, "mean": null, "std": null,
"crop_padding": 4, "flip": true, "subset_seed": 0, "few_below": null, "many_above": null},
"imbalance": {"kind": "balance", "factor": null}, "weights": {"learning_rate": 0.05,
"final_learning_rate": 0.0, "momentum": 0.9, "weight_decay": 0.0003, "clip": 5.0,
"nesterov": false, "warmup_epochs": 0, "decay": "steps", "steps": [0.8, 0.9], "factor":
0.01}, "seed": 0, "epochs": 150, "batch_size": 64, "channels": 36, "cells": 20,
"limit_batches": null, "precision": "32", "compile": false, "recipe": "strong", "network":
{}, "genotype": "darts_v2", "objective": {"reweight": "effective_number", "exponent": 1.0,
"beta": 0.9999, "start": 0.8, "max_margin": 0.5}, "sampler": {"start": 0.0}, "branches": {},
"rebalancing_sampler": {"start": 0.0}, "classifier": {"scale": 30.0}, "mix": {"alpha": 0.2},
"augmentation": {"count": 2, "magnitude": 9}, "sharpness": 0.0, "averaging": 0.0, "crt":
{"epochs": 0, "learning_rate": 0.1, "fresh": true}, "crt_objective": {"reweight": "none",
"exponent": 1.0, "beta": 0.9999, "start": 0.0}, "crt_sampler": {"start": 0.0}, "adjust":
0.0, "stem": "cifar", "drop_path": 0.2, "auxiliary": 0.4, "cutout": 16, "pretrain": "none",
"pretrain_epochs": 0, "barlow_twins": {"off_diagonal_weight": 0.0051, "hidden": 512,
"outputs": 256, "center": true, "min_crop_area": 0.2, "jitter": 0.4, "jitter_probability":
0.8, "grey_probability": 0.2}, "types": {"data": "Data", "imbalance": "Imbalance",
"trainer": "Trainer", "logger": "Logger", "weights": "WeightOptimiser", "network":
"SearchedNetwork", "objective": "LdamDrw", "sampler": "InstanceSampler", "branches":
"OneBranch", "rebalancing_sampler": "ReversedSampler", "classifier": "CosineClassifier",
"mix": "Mixup", "augmentation": "RandAugment", "crt": "ClassifierStage", "crt_objective":
"CrossEntropy", "crt_sampler": "ClassBalancedSampler", "barlow_twins": "BarlowTwins"}}
"""
"""Written by version 0.1.0 for `RETRAIN`."""
SEARCH = c.SearchConfig(
    scheme="darts_bbn",
    seed=3,
    relaxation=c.Sigmoid(),
    regulariser=c.ZeroOneL1(weight=0.5),
    branches=c.TwoBranches(mixing="quarter_cosine"),
    imbalance=c.Imbalance("exp", 0.1),
    data=c.Data("digits"),
    architecture_sampler=c.ReversedSampler(start=0.5),
    schedule=c.Heterogeneous(),
    selection=c.ThresholdEdge(),
)
RETRAIN = c.RetrainConfig(
    recipe="strong",
    genotype="darts_v2",
    objective=c.LdamDrw(weight_normalisation="classes"),
    classifier=c.CosineClassifier(),
    mix=c.Mixup(alpha=0.2),
    augmentation=c.RandAugment(),
    weights=c.WeightOptimiser(0.05, 0.0, decay="steps"),
)


def stored(folder, text):
    (folder / "fingerprint.json").write_text(text)
    return stored_fingerprint(folder)


def test_defaults_leave_nothing_to_be_stored():
    assert fingerprint(c.SearchConfig()) == {"version": 2, "command": "search"}
    assert fingerprint(c.RetrainConfig(genotype="darts_v2")) == {
        **{"version": 2, "command": "retrain", "genotype": "darts_v2"},
    }


def test_keys_are_those_of_the_command_line():
    assert fingerprint(SEARCH) == {
        **{"version": 2, "command": "search", "data.source": "digits"},
        **{"imbalance.kind": "exp", "imbalance.factor": 0.1, "seed": 3, "scheme": "darts_bbn"},
        **{"relaxation": "sigmoid", "architecture_sampler": "reversed"},
        **{"architecture_sampler.start": 0.5, "branches": "two"},
        **{"branches.mixing": "quarter_cosine", "regulariser": "zero_one_l1"},
        **{"regulariser.weight": 0.5, "schedule": "heterogeneous", "selection": "threshold_edge"},
    }
    assert fingerprint(RETRAIN) == {
        **{"version": 2, "command": "retrain", "recipe": "strong", "genotype": "darts_v2"},
        **{"weights.learning_rate": 0.05, "weights.decay": "steps", "objective": "ldam_drw"},
        **{"classifier": "cosine", "mix": "mixup", "mix.alpha": 0.2},
        "augmentation": "rand_augment",
    }


def test_constants_are_compared_with_those_of_their_value():
    config = c.SearchConfig(relaxation=c.Sigmoid(initial_deviation=1e-3))
    assert fingerprint(config)["relaxation.initial_deviation"] == 1e-3
    config = c.SearchConfig(relaxation=c.Softmax(initial_deviation=1e-3))
    assert fingerprint(config) == fingerprint(c.SearchConfig())


@pytest.mark.parametrize("config", [SEARCH, RETRAIN])
def test_a_file_gives_back_what_was_written(config, tmp_path):
    assert stored(tmp_path, json.dumps(fingerprint(config))) == fingerprint(config)


def test_what_does_not_change_a_result_is_not_stored():
    free = {
        **{"resume": "auto", "runs": "elsewhere", "logger": c.Logger("none")},
        **{"trainer": c.Trainer("cpu"), "data": replace(SEARCH.data, cache="x")},
    }
    assert fingerprint(replace(SEARCH, **free)) == fingerprint(SEARCH)


def test_a_new_field_and_another_class_name_leave_fingerprints_equal(monkeypatch):
    sigmoid = make_dataclass("Logistic", [("floor", float, field(default=0.0))], bases=(c.Sigmoid,))
    declared = axis({"softmax": c.Softmax, "sigmoid": sigmoid}, "softmax")

    @dataclass
    class LaterConfig(c.SearchConfig):
        relaxation: c.Relaxation = declared
        patience: int = 10

    before = fingerprint(SEARCH)
    monkeypatch.setitem(module.COMMANDS, "search", LaterConfig)
    later = LaterConfig(**{**vars(SEARCH), "relaxation": sigmoid()})
    assert fingerprint(later) == before
    later.patience, later.relaxation.floor = 20, 0.1
    assert fingerprint(later) == {**before, "patience": 20, "relaxation.floor": 0.1}


def test_a_value_of_no_table_is_refused():
    @dataclass
    class Unknown(c.Relaxation):
        pass

    with pytest.raises(TypeError, match="not a value on the relaxation axis"):
        fingerprint(c.SearchConfig(relaxation=Unknown()))


@pytest.mark.parametrize("config", [c.SearchConfig(), c.RetrainConfig(genotype="darts_v2")])
def test_the_stem_is_written_where_the_default_stood_for_another_one_before(config):
    def stem(name, size):
        sized = replace(config, stem=name, data=c.Data("digits", image_size=size))
        return fingerprint(sized).get("stem")

    # Before there was `auto`, the default was `cifar`, at every size.
    assert [stem("auto", size) for size in (None, 32, 95)] == [None] * 3
    assert stem("auto", 96) == stem("imagenet", 96) == "imagenet"
    assert [stem("cifar", size) for size in (None, 32, 96)] == ["cifar"] * 3


def test_the_scale_of_class_weights_is_written_unless_it_is_that_of_older_versions():
    """Older versions divided by the mean over classes, and so do their unfinished runs."""
    key = "objective.weight_normalisation"
    for name, expected in (("images", "images"), ("batch", "batch"), ("classes", None)):
        weighted = c.ClassBalanced(weight_normalisation=name)
        assert fingerprint(c.SearchConfig(objective=weighted)).get(key) == expected
        # Without class weights, their scale has no effect.
        plain = c.Focal(weight_normalisation=name)
        assert key not in fingerprint(c.SearchConfig(objective=plain))


@pytest.mark.parametrize(
    "stages",
    [{"crt": c.ClassifierStage(epochs=3)}, {"pretrain": "barlow_twins", "pretrain_epochs": 3}],
)
def test_trainings_of_several_stages_are_not_those_of_older_versions(stages):
    """The stages of an older version shared the optimiser of the training."""
    several = fingerprint(c.RetrainConfig(genotype="darts_v2", **stages))
    older = {key: value for key, value in several.items() if key != "stages.optimisers"}
    assert differences(older, several) == ["stages.optimisers was shared, now own"]
    assert "stages.optimisers" not in fingerprint(c.RetrainConfig(genotype="darts_v2"))


# --- fingerprints of 0.1.0 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "config"), [(SEARCH_OF_0_1_0, SEARCH), (RETRAIN_OF_0_1_0, RETRAIN)]
)
def test_runs_of_0_1_0_are_recognised(text, config, tmp_path):
    assert stored(tmp_path, text) == fingerprint(config)
    assert stored(tmp_path, text) != fingerprint(replace(config, seed=5))


def test_values_that_0_1_0_did_not_have_are_not_recognised(tmp_path):
    assert stored(tmp_path, SEARCH_OF_0_1_0.replace("Sigmoid", "Gumbel")) is None


def test_each_value_has_the_name_that_0_1_0_gave_it():
    for table in c.AXES.values():
        for name, kind in table.items():
            if name != "same":  # later versions have more values
                assert NAMES.get(kind.__name__, name) == name


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"version": 3, "command": "search"}'])
def test_other_files_are_none(text, tmp_path):
    assert stored(tmp_path, text) is None


# --- messages -----------------------------------------------------------------------------------


def test_differences_name_keys_with_the_value_then_and_now():
    config = c.SearchConfig()
    other = replace(config, weights=c.WeightOptimiser(0.05), schedule=c.Heterogeneous(kappa=2.0))
    assert differences(fingerprint(config), fingerprint(other)) == [
        "weights.learning_rate was 0.025, now 0.05",
        "schedule was constant, now heterogeneous",
    ]
    steeper = replace(other, schedule=c.Heterogeneous(kappa=3.0))
    plain = replace(other, schedule=c.Heterogeneous())
    assert differences(fingerprint(steeper), fingerprint(plain)) == [
        "schedule.kappa was 3.0, now 1.0"
    ]
    assert differences(fingerprint(config), fingerprint(RETRAIN)) == [
        "it was ltnas.search, now ltnas.retrain"
    ]


@pytest.mark.parametrize("config", [c.SearchConfig(), c.RetrainConfig(genotype="x")])
def test_defaults_have_every_key(config):
    command = fingerprint(config)["command"]
    known = defaults(command, {})
    assert {axis: known[axis] for axis in choices(config)} == choices(config)
    assert known["data.crop_padding"] == config.data.crop_padding
    assert known["weights.final_learning_rate"] == config.weights.final_learning_rate


def test_a_tuple_of_python_code_is_a_list_in_the_file():
    space = c.Space(operations=tuple(c.OPERATIONS))
    assert fingerprint(c.SearchConfig(space=space)) == fingerprint(c.SearchConfig())
    edges = (("skip_connect",), ("none", "skip_connect"))
    space = c.Space(("none", "skip_connect"), nodes=1, normal_edges=edges)
    kept = fingerprint(c.SearchConfig(space=space))
    assert json.loads(json.dumps(kept)) == kept


def test_the_operations_of_each_edge_decide_a_run():
    edges = [["skip_connect"], ["none", "skip_connect"]]
    kept = fingerprint(c.SearchConfig(space=c.Space(nodes=1, reduce_edges=edges)))
    assert kept["space.reduce_edges"] == edges
    every = fingerprint(c.SearchConfig(space=c.Space(nodes=1)))
    assert "space.reduce_edges" not in every
    assert differences(every, kept) == [f"space.reduce_edges was None, now {edges}"]


def test_a_pipeline_is_not_one_run():
    with pytest.raises(TypeError, match="PipelineConfig is not the configuration of one run"):
        fingerprint(c.PipelineConfig(resume="auto"))
    assert not module.is_one_run(c.PipelineConfig(resume="auto"))
    assert module.is_one_run(c.SearchConfig())
