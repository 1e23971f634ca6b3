"""Names and constants that the commands are expected to have, from papers and their code."""

from dataclasses import replace

from ltnas import config as c
from ltnas.config.axes import AXES

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
    "pc_darts": {"edges": "normalised"},
    "darts_minus": {"auxiliary_skip": "linear"},
    "drnas": {"relaxation": "dirichlet", "progression": "widen"},
    "p_darts": {"progression": "deepen"},
    "gdas": {"relaxation": "hard_gumbel", "selection": "pooled"},
    "snas": {"relaxation": "gumbel", "gradient": "single_level", "selection": "every_edge"},
    "msr_darts": {"relaxation": "stable_rank", "weight_norm": "spectral", "gradient": "none"},
    "naswot": {"selection": "by_proxy"},
    "half_space": {"progression": "zero_shot"},
    "darts_pt": {"selection": "removal"},
    "random_sharing": {
        "relaxation": "hard_gumbel",
        "gradient": "none",
        "selection": "sampled",
    },
    "evolution": {"relaxation": "hard_gumbel", "gradient": "none", "selection": "evolution"},
    "learning_by_teaching": {"gradient": "second_order", "levels": "teaching"},
    "self_explanation": {"gradient": "second_order", "levels": "self_explanation"},
    "interleaving": {
        "gradient": "second_order",
        "levels": "interleaving",
        "second_network": "supernet",
        "second_sampler": "class_balanced",
    },
    "mae_nas": {"objective": "masked_reconstruction"},
    "b_darts": {"macro": "broad", "schedule": "confident"},
    "b_pc_darts": {"macro": "broad", "edges": "normalised"},
}
"""What each scheme has other than DARTS."""

DARTS = {
    "macro": "cells",
    "relaxation": "softmax",
    "edges": "plain",
    "auxiliary_skip": "none",
    "progression": "none",
    "weight_norm": "none",
    "perturbation": "none",
    "operation_stopping": "none",
    "objective": "cross_entropy",
    "architecture_objective": "same",
    "sampler": "instance_balanced",
    "architecture_sampler": "same",
    "branches": "one",
    "rebalancing_sampler": "reversed",
    "levels": "two",
    "second_network": "resnet18",
    "second_objective": "same",
    "second_sampler": "same",
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
BBN = replace(FIELD, nesterov=True, warmup_start=1 / 3)
"""Values of the code of BBN, which Zhang et al. 2021 use too."""

GLMC = {
    "objective": c.MixtureConsistency(
        exponent=1.0,
        consistency=2.0,
        width=128,
        heads="linear",
        weight_normalisation="classes",
    ),
    "mix": c.MixupAndCutMix(1.0, drawn_for="batches", partner_exponent=0.2),
}
MAX_NORM = {
    "crt": c.ClassifierStage(
        epochs=10,
        fresh=False,
        weights=c.ClassifierOptimiser(
            *(0.01, 0.0, 0.9, 0.1, None),
            nesterov=False,
            warmup_epochs=0,
            decay="cosine",
        ),
        max_norm=0.1,
    ),
    "crt_objective": c.ClassBalanced(beta=0.9999, weight_normalisation="classes"),
    "crt_sampler": c.InstanceSampler(),
}

RECIPES = {
    "paper": (150, 64, c.WeightOptimiser(0.025, 0.0, 0.9, 3e-4, 5.0), {}),
    "cross_entropy": (200, 128, FIELD, {}),
    "ldam_drw": (
        *(150, 64, c.WeightOptimiser(0.025, 0.0, 0.9, 3e-4, 5.0)),
        {
            "objective": c.LdamDrw(start=0.8, max_margin=0.5, weight_normalisation="batch"),
            "classifier": c.CosineClassifier(30.0),
        },
    ),
    "paper_ldam_drw": (
        *(200, 128, FIELD),
        {
            "objective": c.LdamDrw(beta=0.9999, start=0.8, weight_normalisation="batch"),
            "classifier": c.CosineClassifier(30.0),
        },
    ),
    "logit_adjustment": (
        *(200, 128),
        replace(FIELD, nesterov=True, warmup_epochs=3, steps=[0.4867, 0.7461, 0.9089], factor=0.1),
        {"objective": c.LogitAdjusted(tau=1.0)},
    ),
    "bbn": (
        *(200, 128, replace(BBN, steps=[0.595, 0.795])),
        {"branches": c.TwoBranches(1, "parabolic"), "rebalancing_sampler": c.ReversedSampler()},
    ),
    "crt": (
        *(200, 128, replace(BBN, steps=[0.795, 0.895])),
        {
            "crt": c.ClassifierStage(
                epochs=30,
                fresh=True,
                weights=c.ClassifierOptimiser(
                    *(0.1, 0.0, 0.9, 5e-4, None),
                    nesterov=True,
                    warmup_epochs=5,
                    warmup_start=1 / 3,
                    decay="steps",
                    steps=[0.3, 0.6333],
                    factor=0.1,
                ),
            )
        },
    ),
    "mislas": (
        *(200, 128, replace(FIELD, weight_decay=5e-4, factor=0.1)),
        {
            "mix": c.Mixup(1.0),
            "crt": c.ClassifierStage(
                epochs=10,
                fresh=False,
                scaling_rate=0.1,
                weights=c.ClassifierOptimiser(
                    learning_rate=0.02,
                    nesterov=False,
                    warmup_epochs=0,
                    decay="cosine",
                ),
            ),
            "crt_objective": c.LabelAwareSmoothing(head=0.1, tail=0.0),
        },
    ),
    "vs_sam": (
        *(400, 128, replace(FIELD, weight_decay=1e-4)),
        {
            "objective": c.VectorScaling(
                tau=1.0,
                gamma=0.0,
                multiplicative_end=0.8,
                reweight="inverse_frequency",
                exponent=0.1,
                start=0.8,
                weight_normalisation="batch",
            ),
            "augmentation": c.AutoAugment(fill=128),
            "sharpness": 0.1,
            "sharpness_factor": 1.0,
        },
    ),
    "glmc": (200, 64, c.WeightOptimiser(0.01, 0.0, 0.9, 5e-3, None), GLMC),
    "glmc_max_norm": (200, 64, c.WeightOptimiser(0.01, 0.0, 0.9, 5e-3, None), GLMC | MAX_NORM),
}
"""Epochs, batch size, weights, and what else is not the default, at exp0.1."""

IMBALANCES = {
    "balance": ("balance", None),
    "natural": ("natural", None),
    "exp0.1": ("exp", 0.1),
    "exp0.02": ("exp", 0.02),
    "exp0.01": ("exp", 0.01),
    "step0.1": ("step", 0.1),
    "step0.01": ("step", 0.01),
}


def of_searches(axis, values):
    """The values that a search can have: a loss of mixed images is no loss of its.

    Stable ranks are left out, too: they need another space.
    """
    left_out = ("mixture_consistency", "stable_rank")
    return {name: value for name, value in values.items() if name not in left_out}


RETRAIN_AXES = {
    axis: values for axis, values in AXES.items() if hasattr(c.RetrainConfig(genotype="a"), axis)
}
SEARCH_AXES = {
    axis: of_searches(axis, values)
    for axis, values in AXES.items()
    if hasattr(c.SearchConfig(), axis)
}
