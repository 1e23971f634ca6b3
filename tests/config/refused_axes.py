"""Refused settings of the axes of a search, one by one and together; see `test_refusals`."""

from ltnas import config as c

CONVOLUTIONS = c.Space(["sep_conv_3x3", "dil_conv_5x5"])

REFUSED = {
    # the axes
    "operation": (lambda: c.Space(["conv"]), "space.operations=conv", "skip_connect"),
    "twice": (lambda: c.Space(["none", "none"]), "space.operations=['none', 'none']", "each once"),
    "nothing": (lambda: c.Space(["none"]), "space.operations=['none']", "add an operation"),
    "no operations": (lambda: c.Space([]), "space.operations=[]", "add an operation"),
    "no nodes": (lambda: c.Space(nodes=0), "space.nodes=0", "at least one node"),
    "many nodes": (lambda: c.Space(nodes=31), "space.nodes=31", "[1, 30]"),
    "edges": (
        lambda: c.Space(nodes=1, normal_edges=[["none"]]),
        "space.normal_edges lists 1 edges",
        "space.nodes=1 has 2",
    ),
    "edges of other nodes": (
        lambda: c.Space(nodes=3, reduce_edges=[["none"]] * 14),
        "space.reduce_edges lists 14 edges",
        "space.nodes=3 has 9",
    ),
    "edge without an operation": (
        lambda: c.Space(nodes=1, reduce_edges=[["skip_connect"], ["none"]]),
        "space.reduce_edges[1]=['none'] leaves the edge without an operation",
        "other than none",
    ),
    "empty edge": (
        lambda: c.Space(nodes=1, normal_edges=[[], ["skip_connect"]]),
        "space.normal_edges[0]=[] leaves the edge without an operation",
        "at least one",
    ),
    "operation of an edge": (
        lambda: c.Space(["none", "skip_connect"], 1, [["skip_connect"], ["noise"]]),
        "space.normal_edges[1]=['noise'] has noise",
        "one of none, skip_connect",
    ),
    "edge with an operation twice": (
        lambda: c.Space(nodes=1, normal_edges=[["skip_connect"] * 2, ["skip_connect"]]),
        "space.normal_edges[0]=['skip_connect', 'skip_connect'] names an operation twice",
        "each once",
    ),
    "edge that is no list": (
        lambda: c.Space(nodes=1, normal_edges=["skip_connect", "none"]),
        "space.normal_edges[0]=skip_connect is no list",
        "[skip_connect]",
    ),
    "deviation": (
        lambda: c.Softmax(initial_deviation=-1.0),
        "relaxation.initial_deviation=-1.0",
        "0 or more",
    ),
    "hidden": (lambda: c.BarlowTwins(hidden=0), "hidden=0 of barlow_twins", "1 or more"),
    "outputs": (lambda: c.BarlowTwins(outputs=0), "outputs=0 of barlow_twins", "1 or more"),
    "crop area": (lambda: c.BarlowTwins(min_crop_area=0.0), "min_crop_area=0.0", "(0, 1]"),
    "jitter": (lambda: c.BarlowTwins(jitter=1.0), "jitter=1.0", "[0, 1)"),
    "jitter often": (
        lambda: c.BarlowTwins(jitter_probability=1.5),
        "jitter_probability=1.5",
        "[0, 1]",
    ),
    "grey often": (lambda: c.BarlowTwins(grey_probability=-0.1), "grey_probability=-0.1", "[0, 1]"),
    "nothing masked": (
        lambda: c.MaskedReconstruction(mask_ratio=0.0),
        "objective.mask_ratio=0.0",
        "(0, 1)",
    ),
    "patch": (lambda: c.MaskedReconstruction(patch=0), "objective.patch=0", "1 or more"),
    "decoder": (
        lambda: c.MaskedReconstruction(decoder="pyramid"),
        "objective.decoder=pyramid",
        "hierarchical, single_scale",
    ),
    "width of the decoder": (
        lambda: c.MaskedReconstruction(decoder_channels=0),
        "objective.decoder_channels=0",
        "1 or more",
    ),
    "perturbation": (lambda: c.SecondOrder(perturbation=0.0), "gradient.perturbation=0.0", "above"),
    # combinations
    "l1 on softmax": (
        lambda: c.SearchConfig(regulariser=c.ZeroOneL1()),
        "regulariser=zero_one_l1 with relaxation=softmax",
        "take relaxation=sigmoid",
    ),
    "l2 on softmax": (
        lambda: c.SearchConfig(regulariser=c.ZeroOneL2()),
        "regulariser=zero_one_l2 with relaxation=softmax",
        "regulariser=none",
    ),
    "sparse on softmax": (
        lambda: c.SearchConfig(selection=c.ThresholdSparse()),
        "selection=threshold_sparse with relaxation=softmax",
        "take relaxation=sigmoid",
    ),
    "edge on softmax": (
        lambda: c.SearchConfig(selection=c.ThresholdEdge()),
        "selection=threshold_edge with relaxation=softmax",
        "selection=top2",
    ),
    "differences of noise": (
        lambda: c.SearchConfig(space=c.Space(["noise"]), gradient=c.SecondOrder()),
        "gradient=second_order with noise in space.operations",
        "take gradient=first_order",
    ),
    "noise that is drawn again": (
        lambda: c.SearchConfig(space=c.Space(["noise"]), checkpoint_cells=True),
        "checkpoint_cells=true with noise in space.operations",
        "take checkpoint_cells=false",
    ),
    # mixing weights
    "temperature": (
        lambda: c.Gumbel(last_temperature=0.0),
        "relaxation.last_temperature=0.0",
        "must be above 0",
    ),
    "estimator": (
        lambda: c.HardGumbel(estimator="score"),
        "relaxation.estimator=score",
        "straight_through, reinmax",
    ),
    "edge deviation": (
        lambda: c.NormalisedEdges(initial_deviation=-1.0),
        "edges.initial_deviation=-1.0",
        "0 or more",
    ),
    "auxiliary skip": (
        lambda: c.LinearSkip(strength=-0.5),
        "auxiliary_skip.strength=-0.5",
        "0 or more",
    ),
    "partial channels": (
        lambda: c.SearchConfig(partial_channels=3),
        "partial_channels=3 does not divide channels=16",
        "take a divisor",
    ),
    "divergence": (
        lambda: c.SearchConfig(regulariser=c.DirichletDivergence()),
        "regulariser=dirichlet_divergence with relaxation=softmax",
        "take relaxation=dirichlet",
    ),
    # broad networks
    "enhancement cells": (
        lambda: c.BroadCells(enhancement_cells=0),
        "macro.enhancement_cells=0",
        "1 or more",
    ),
    "a block without cells": (
        lambda: c.SearchConfig(cells=1, macro=c.BroadCells()),
        "cells=1 in a broad network",
        "take cells=2 or more",
    ),
    "edges of cells that a broad network lacks": (
        lambda: c.SearchConfig(
            space=c.Space(nodes=1, reduce_edges=[["skip_connect"]] * 2), macro=c.BroadCells()
        ),
        "space.reduce_edges with macro=broad",
        "take space.reduce_edges=null, or macro=cells",
    ),
    # mixing weights that are measured
    "parameters of ranks": (
        lambda: c.StableRank(initial_deviation=0.1),
        "relaxation.initial_deviation=0.1 with relaxation=stable_rank",
        "leave it out",
    ),
    "temperature of ranks": (
        lambda: c.StableRank(temperature=0.0),
        "relaxation.temperature=0.0",
        "above 0",
    ),
    "scale of ranks": (
        lambda: c.StableRank(scale="pixels"),
        "relaxation.scale=pixels",
        "matrix, published",
    ),
    "ranks of skip connections": (
        lambda: c.SearchConfig(relaxation=c.StableRank(), gradient=c.NoGradient()),
        "space.operations with none, max_pool_3x3, avg_pool_3x3, skip_connect and relaxation=stab",
        "take space=convolutions",
    ),
    "gradient of ranks": (
        lambda: c.SearchConfig(space=CONVOLUTIONS, relaxation=c.StableRank()),
        "gradient=first_order with relaxation=stable_rank",
        "take gradient=none",
    ),
    "edges of ranks": (
        lambda: c.SearchConfig(
            space=CONVOLUTIONS,
            relaxation=c.StableRank(),
            gradient=c.NoGradient(),
            edges=c.NormalisedEdges(),
        ),
        "edges=normalised with relaxation=stable_rank",
        "take edges=plain",
    ),
    # selection
    "skips": (lambda: c.Top2(most_skips=-1), "selection.most_skips=-1", "null for no limit"),
    "skips of a random genotype": (
        lambda: c.RandomDraw(most_skips=2),
        "selection.most_skips=2 with a random selection",
        "leave it at null",
    ),
    "more skips than edges": (
        lambda: c.SearchConfig(selection=c.Top2(most_skips=9)),
        "selection.most_skips=9",
        "8 edges of a cell",
    ),
    "proxy of a selection": (
        lambda: c.BestByProxy(proxy="nwott"),
        "selection.proxy=nwott",
        "nwot",
    ),
    "candidates": (lambda: c.BestByProxy(candidates=0), "selection.candidates=0", "1 or more"),
    "images of a proxy": (lambda: c.BestByProxy(images=3), "selection.images=3", "4 or more"),
    "images to measure on": (lambda: c.Sampled(images=1), "selection.images=1", "2 or more"),
    "skips of measured architectures": (
        lambda: c.Removal(most_skips=2),
        "selection.most_skips=2 with a selection that measures",
        "leave it at null",
    ),
    "finalists": (
        lambda: c.Sampled(candidates=5, finalists=6),
        "selection.finalists=6",
        "[1, selection.candidates=5]",
    ),
    "population": (
        lambda: c.Evolution(candidates=20, finalists=2, population=21),
        "selection.population=21",
        "[1, selection.candidates=20]",
    ),
    "tournament": (lambda: c.Evolution(tournament=0), "selection.tournament=0", "1 or more"),
    "tuning": (lambda: c.Removal(tune_epochs=-1), "selection.tune_epochs=-1", "0 or more"),
    "no mixture": (
        lambda: c.SearchConfig(relaxation=c.HardGumbel(), selection=c.Removal()),
        "selection=removal with relaxation=hard_gumbel",
        "selection=sampled",
    ),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""
