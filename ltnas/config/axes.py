"""The values of each axis by the names that a command line has for them."""

from __future__ import annotations

from ltnas import config as c

OBJECTIVES: dict[str, type] = {
    "cross_entropy": c.CrossEntropy,
    "inverse_frequency": c.InverseFrequency,
    "class_balanced": c.ClassBalanced,
    "focal": c.Focal,
    "ldam": c.Ldam,
    "ldam_drw": c.LdamDrw,
    "logit_adjusted": c.LogitAdjusted,
    "balanced_softmax": c.BalancedSoftmax,
    "vector_scaling": c.VectorScaling,
    "gradient_harmonising": c.GradientHarmonising,
    "label_aware_smoothing": c.LabelAwareSmoothing,
    "mixture_consistency": c.MixtureConsistency,
    "barlow_twins": c.BarlowTwins,
}
SAMPLERS: dict[str, type] = {
    "instance_balanced": c.InstanceSampler,
    "class_balanced": c.ClassBalancedSampler,
    "square_root": c.SquareRootSampler,
    "reversed": c.ReversedSampler,
    "progressive": c.ProgressiveSampler,
    "over": c.OverSampler,
    "under": c.UnderSampler,
}
AXES: dict[str, dict[str, type]] = {
    "relaxation": {"softmax": c.Softmax, "sigmoid": c.Sigmoid},
    "objective": OBJECTIVES,
    "architecture_objective": {"same": c.Same, **OBJECTIVES},
    "sampler": SAMPLERS,
    "architecture_sampler": {"same": c.Same, **SAMPLERS},
    "classifier": {
        "linear": c.LinearClassifier,
        "cosine": c.CosineClassifier,
        "simplex": c.SimplexClassifier,
    },
    "branches": {"one": c.OneBranch, "two": c.TwoBranches},
    "rebalancing_sampler": SAMPLERS,
    "crt_objective": OBJECTIVES,
    "crt_sampler": SAMPLERS,
    "network": {"searched": c.SearchedNetwork, "resnet20": c.ResNet20, "resnet32": c.ResNet32},
    "mix": {
        "none": c.NoMix,
        "mixup": c.Mixup,
        "cutmix": c.CutMix,
        "mixup_or_cutmix": c.MixupOrCutMix,
        "mixup_and_cutmix": c.MixupAndCutMix,
    },
    "augmentation": {"plain": c.PlainAugmentation, "rand_augment": c.RandAugment},
    "regulariser": {
        "none": c.NoRegulariser,
        "zero_one_l1": c.ZeroOneL1,
        "zero_one_l2": c.ZeroOneL2,
    },
    "gradient": {"first_order": c.FirstOrder, "second_order": c.SecondOrder},
    "schedule": {
        "constant": c.Constant,
        "heterogeneous": c.Heterogeneous,
        "linear": c.LinearSchedule,
        "cosine": c.CosineSchedule,
        "freeze": c.Freeze,
        "overlap": c.Overlap,
        "increasing": c.Increasing,
        "confident": c.Confident,
    },
    "selection": {
        "top2": c.Top2,
        "threshold_sparse": c.ThresholdSparse,
        "threshold_edge": c.ThresholdEdge,
        "random": c.RandomDraw,
    },
}
"""The values of each axis that a command line can name."""
