"""Fingerprints of version 0.1.0, read as settings of today.

They are nested, hold every field, and have under `types` the class of each dataclass.
"""

from __future__ import annotations

from typing import Any

from ltnas.config.axes import AXES

NAMES = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "Same": "same",
    "CrossEntropy": "cross_entropy",
    "InverseFrequency": "inverse_frequency",
    "ClassBalanced": "class_balanced",
    "Focal": "focal",
    "Ldam": "ldam",
    "LdamDrw": "ldam_drw",
    "LogitAdjusted": "logit_adjusted",
    "BalancedSoftmax": "balanced_softmax",
    "VectorScaling": "vector_scaling",
    "GradientHarmonising": "gradient_harmonising",
    "LabelAwareSmoothing": "label_aware_smoothing",
    "MixtureConsistency": "mixture_consistency",
    "BarlowTwins": "barlow_twins",
    "InstanceSampler": "instance_balanced",
    "ClassBalancedSampler": "class_balanced",
    "SquareRootSampler": "square_root",
    "ReversedSampler": "reversed",
    "ProgressiveSampler": "progressive",
    "OverSampler": "over",
    "UnderSampler": "under",
    "LinearClassifier": "linear",
    "CosineClassifier": "cosine",
    "SimplexClassifier": "simplex",
    "OneBranch": "one",
    "TwoBranches": "two",
    "SearchedNetwork": "searched",
    "ResNet20": "resnet20",
    "ResNet32": "resnet32",
    "NoMix": "none",
    "Mixup": "mixup",
    "CutMix": "cutmix",
    "MixupOrCutMix": "mixup_or_cutmix",
    "MixupAndCutMix": "mixup_and_cutmix",
    "PlainAugmentation": "plain",
    "RandAugment": "rand_augment",
    "NoRegulariser": "none",
    "ZeroOneL1": "zero_one_l1",
    "ZeroOneL2": "zero_one_l2",
    "FirstOrder": "first_order",
    "SecondOrder": "second_order",
    "Constant": "constant",
    "Heterogeneous": "heterogeneous",
    "LinearSchedule": "linear",
    "CosineSchedule": "cosine",
    "Freeze": "freeze",
    "Overlap": "overlap",
    "Increasing": "increasing",
    "Confident": "confident",
    "Top2": "top2",
    "ThresholdSparse": "threshold_sparse",
    "ThresholdEdge": "threshold_edge",
    "RandomDraw": "random",
}
"""Command-line name of each class of 0.1.0 that is a value on an axis."""


def is_of_0_1_0(data: dict[str, Any]) -> bool:
    """Return True for the content of a fingerprint file of version 0.1.0."""
    return "version" not in data and isinstance(data.get("types"), dict)


def settings_of_0_1_0(data: dict[str, Any]) -> dict[str, Any] | None:
    """Return all settings of a fingerprint of 0.1.0 by dotted keys, axes by command-line names.

    None if a value on an axis is not one of 0.1.0.
    """
    settings: dict[str, Any] = {}
    for key, value in data.items():
        if key == "types":
            continue
        if key in AXES:
            name = NAMES.get(str(data["types"].get(key)))
            if name is None or not isinstance(value, dict):
                return None
            settings[key] = name
            if name == "same":  # it had the constants of a sampler, which had no effect
                continue
        if isinstance(value, dict):
            settings |= {f"{key}.{name}": constant for name, constant in value.items()}
        else:
            settings[key] = value
    if settings.get("branches.mixing") == "cosine":
        settings["branches.mixing"] = "quarter_cosine"
    if settings.get("crt.epochs") == 0:  # there was no second stage, and its key was renamed
        settings.pop("crt.learning_rate", None)
    if settings.get("stem") == "cifar":  # the default, which was not left out
        settings["stem"] = "auto"
    return settings
