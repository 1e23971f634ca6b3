"""Refused settings of the steps and stages of a search; see `test_refusals`."""

from ltnas import config as c

SIGMOID = c.Sigmoid()

REFUSED = {
    # the weight step
    "epsilons": (
        lambda: c.RandomPerturbation(epsilon=0.01),
        "perturbation.first_epsilon=0.03 perturbation.epsilon=0.01",
        "lower the first, too",
    ),
    "steps of ascent": (
        lambda: c.AdversarialPerturbation(steps=0),
        "perturbation.steps=0",
        "1 or more",
    ),
    "perturbation of one operation": (
        lambda: c.SearchConfig(perturbation=c.RandomPerturbation(), relaxation=c.HardGumbel()),
        "perturbation=random with relaxation=hard_gumbel",
        "take perturbation=none",
    ),
    "perturbation of one level": (
        lambda: c.SearchConfig(perturbation=c.AdversarialPerturbation(), gradient=c.SingleLevel()),
        "perturbation=adversarial with gradient=single_level",
        "take perturbation=none",
    ),
    "window": (lambda: c.Oles(steps=0), "operation_stopping.steps=0", "1 or more"),
    "similarity": (
        lambda: c.Oles(threshold=1.5),
        "operation_stopping.threshold=1.5",
        "a cosine",
    ),
    "comparison": (
        lambda: c.Oles(comparison="angle"),
        "operation_stopping.comparison=angle",
        "sum, gradient",
    ),
    "stopping of one level": (
        lambda: c.SearchConfig(operation_stopping=c.Oles(), gradient=c.SingleLevel()),
        "operation_stopping=oles with gradient=single_level",
        "take gradient=first_order",
    ),
    # the architecture's steps
    "architecture clip": (
        lambda: c.ArchitectureOptimiser(clip=0.0),
        "architecture.clip=0.0",
        "null for none",
    ),
    "architecture warm-up": (
        lambda: c.ArchitectureOptimiser(warmup=1.0),
        "architecture.warmup=1.0",
        "[0, 1)",
    ),
    "objectives of one level": (
        lambda: c.SearchConfig(
            gradient=c.SingleLevel(), architecture_sampler=c.ClassBalancedSampler()
        ),
        "gradient=single_level has no architecture step",
        "at same",
    ),
    "regulariser without gradient": (
        lambda: c.SearchConfig(
            gradient=c.NoGradient(), relaxation=SIGMOID, regulariser=c.ZeroOneL1()
        ),
        "regulariser=zero_one_l1 with gradient=none",
        "take regulariser=none",
    ),
    # stages
    "no stages": (lambda: c.Deepen(operations=[]), "progression.operations=[]", "1 or more"),
    "growing stages": (
        lambda: c.Deepen(operations=[3, 5, 8]),
        "progression.operations=[3, 5, 8] grows",
        "descending order",
    ),
    "epochs of stages": (
        lambda: c.Deepen(epochs=[10, 10]),
        "progression.epochs=[10, 10] does not fit",
        "null for equal parts",
    ),
    "cells of stages": (
        lambda: c.Deepen(added_cells=[0, 6]),
        "progression.added_cells=[0, 6] does not fit",
        "for each stage",
    ),
    "dropout of stages": (
        lambda: c.Deepen(skip_dropout=[0.1, 0.4, 1.0]),
        "progression.skip_dropout=[0.1, 0.4, 1.0]",
        "[0, 1)",
    ),
    "width of stages": (
        lambda: c.Widen(partial_channels=[4]),
        "progression.partial_channels=[4] does not fit",
        "for each stage",
    ),
    "narrower stages": (
        lambda: c.Widen(partial_channels=[4, 6]),
        "progression.partial_channels=[4, 6] grows",
        "descending order",
    ),
    "first stage": (
        lambda: c.SearchConfig(progression=c.Deepen(operations=[5, 4, 3])),
        "progression.operations=[5, 4, 3] begins with fewer than the 8",
        "begin with all of them",
    ),
    "scoring": (lambda: c.ZeroShot(scoring="all"), "progression.scoring=all", "leave_one_out"),
    "proxy of pruning": (lambda: c.ZeroShot(proxy="nwott"), "progression.proxy=nwott", "nwot"),
    "granularity": (
        lambda: c.ZeroShot(granularity="cell"),
        "progression.granularity=cell",
        "edge_operation, operation",
    ),
    "keep": (lambda: c.ZeroShot(keep=0.0), "progression.keep=0.0", "(0, 1]"),
    "repeats of pruning": (lambda: c.ZeroShot(repeats=0), "progression.repeats=0", "1 or more"),
    "cells of pruning": (lambda: c.ZeroShot(cells=2), "progression.cells=2", "3 or more"),
    "images of pruning": (lambda: c.ZeroShot(images=3), "progression.images=3", "4 or more"),
    "sum of stages": (
        lambda: c.SearchConfig(epochs=40, progression=c.Deepen(epochs=[25, 25, 25])),
        "adds up to 75, not to epochs=40",
        "progression.epochs=null",
    ),
    "more stages than epochs": (
        lambda: c.SearchConfig(epochs=2, progression=c.Deepen()),
        "progression=deepen has 3 stages",
        "take more epochs",
    ),
    "stages without training": (
        lambda: c.SearchConfig(selection=c.RandomDraw(), progression=c.Deepen()),
        "progression=deepen with selection=random",
        "take progression=none",
    ),
    "two widths": (
        lambda: c.SearchConfig(
            channels=12, partial_channels=2, progression=c.Widen(operations=[8, 4])
        ),
        "partial_channels=2 with progression=widen",
        "leave the first at 1",
    ),
    "indivisible width": (
        lambda: c.SearchConfig(channels=16, progression=c.Widen(operations=[8, 4])),
        "progression.partial_channels=[6, 4]: 6 does not divide channels=16",
        "such as channels=18",
    ),
    "dropout computed again": (
        lambda: c.SearchConfig(checkpoint_cells=True, progression=c.Deepen()),
        "checkpoint_cells=true with progression.skip_dropout",
        "to zeros",
    ),
    "dropout of several passes": (
        lambda: c.SearchConfig(gradient=c.SecondOrder(), progression=c.Deepen()),
        "gradient=second_order with progression.skip_dropout",
        "to zeros",
    ),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""
