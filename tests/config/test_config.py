"""What a configuration refuses, and that its defaults are the papers' constants."""

import ast
import traceback
from pathlib import Path

import pytest
from conftest import REPOSITORY

from ltnas import config as c
from ltnas.errors import UserError

SIGMOID = c.Sigmoid()
CONVOLUTIONS = c.Space(["sep_conv_3x3", "dil_conv_5x5"])

REFUSED = {
    # what counts as a collapse
    "rules": (lambda: c.Collapse(rules=["flat"]), "collapse.rules=['flat']", "skips, eigenvalue"),
    "nothing measured": (
        lambda: c.Collapse(rules=["eigenvalue"], hessian_every=0),
        "collapse.rules=['eigenvalue'] with collapse.hessian_every=0",
        "take collapse.hessian_every=1",
    ),
    "skip share": (lambda: c.Collapse(skip_share=0.0), "collapse.skip_share=0.0", "(0, 1]"),
    "patience": (lambda: c.Collapse(patience=0), "collapse.patience=0", "1 or more epochs"),
    "hessian": (lambda: c.Collapse(hessian_every=-1), "collapse.hessian_every=-1", "0 (never)"),
    # the pipeline
    "until": (lambda: c.PipelineConfig(until="derive"), "until=derive", "search, retrain"),
    "resume of two": (
        lambda: c.PipelineConfig(resume="runs/search-1"),
        "resume=runs/search-1",
        "take resume=auto",
    ),
    "devices of two": (
        lambda: c.PipelineConfig(resume="auto", trainer=c.Trainer(devices=2)),
        "trainer.devices=2 in a pipeline",
        "run ltnas.search, then ltnas.retrain",
    ),
    # the long tail
    "kind": (lambda: c.Imbalance("tail"), "imbalance.kind=tail", "balance, exp, step, natural"),
    "balance factor": (
        lambda: c.Imbalance("balance", 0.1),
        "imbalance.factor=0.1",
        "imbalance=balance: leave it out",
    ),
    "natural factor": (lambda: c.Imbalance("natural", 1.0), "imbalance.factor=1.0", "leave it out"),
    "exp alone": (lambda: c.Imbalance("exp"), "imbalance=exp", "add imbalance.factor=0.1"),
    "step alone": (lambda: c.Imbalance("step"), "imbalance=step", "add imbalance.factor=0.1"),
    "factor 0": (lambda: c.Imbalance("exp", 0.0), "imbalance.factor=0 ", "(0, 1]"),
    "factor 3": (lambda: c.Imbalance("step", 3.0), "imbalance.factor=3 ", "(0, 1]"),
    "factor nan": (lambda: c.Imbalance("exp", float("nan")), "imbalance.factor=nan", "(0, 1]"),
    # data
    "source": (lambda: c.Data("mnist"), "data.source=mnist", "cifar10, cifar10_parquet, digits"),
    "folder root": (lambda: c.Data("folder"), "data=folder", "add data.root=PATH"),
    "parquet root": (lambda: c.Data("cifar10_parquet"), "data=cifar10_parquet", "add data.root="),
    "image size": (lambda: c.Data(image_size=3), "data.image_size=3", "take 4 or more"),
    "padding": (lambda: c.Data(crop_padding=-1), "data.crop_padding=-1", "0 or more"),
    "subset seed": (lambda: c.Data(subset_seed=-1), "data.subset_seed=-1", "[0, 4294967295]"),
    "groups that overlap": (
        lambda: c.Data(few_below=100, many_above=50),
        "data.few_below=100 data.many_above=50",
        "must not be the larger",
    ),
    "mean alone": (lambda: c.Data(mean=[0.5] * 3), "data.mean=[0.5, 0.5, 0.5]", "set both"),
    "std alone": (lambda: c.Data(std=[0.5] * 3), "data.std=[0.5, 0.5, 0.5]", "set both"),
    "one mean": (lambda: c.Data(mean=[0.5], std=[1.0] * 3), "data.mean=[0.5]", "three numbers"),
    "one std": (lambda: c.Data(mean=[0.5] * 3, std=[1.0]), "data.std=[1.0]", "three numbers"),
    "std 0": (
        lambda: c.Data(mean=[0.5] * 3, std=[1.0, 0.0, 1.0]),
        "data.std=[1.0, 0.0, 1.0]",
        "above 0",
    ),
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
    "perturbation": (lambda: c.SecondOrder(perturbation=0.0), "gradient.perturbation=0.0", "above"),
    # optimisers
    "rate": (lambda: c.WeightOptimiser(learning_rate=0.0), "weights.learning_rate=0.0", "above 0"),
    "last rate": (
        lambda: c.WeightOptimiser(final_learning_rate=-0.1),
        "weights.final_learning_rate=-0.1",
        "0 or more",
    ),
    "momentum": (lambda: c.WeightOptimiser(momentum=1.0), "weights.momentum=1.0", "[0, 1)"),
    "decay": (lambda: c.WeightOptimiser(weight_decay=-1.0), "weights.weight_decay=-1.0", "0 or"),
    "clip": (lambda: c.WeightOptimiser(clip=0.0), "weights.clip=0.0", "above 0"),
    "architecture rate": (
        lambda: c.ArchitectureOptimiser(learning_rate=-1.0),
        "architecture.learning_rate=-1.0",
        "above 0",
    ),
    "beta1": (lambda: c.ArchitectureOptimiser(beta1=1.0), "architecture.beta1=1.0", "[0, 1)"),
    "beta2": (lambda: c.ArchitectureOptimiser(beta2=-0.5), "architecture.beta2=-0.5", "[0, 1)"),
    "architecture decay": (
        lambda: c.ArchitectureOptimiser(weight_decay=-1.0),
        "architecture.weight_decay=-1.0",
        "0 or more",
    ),
    # machine and logger
    "accelerator": (lambda: c.Trainer("tpu"), "trainer.accelerator=tpu", "auto, cpu, gpu"),
    "devices": (lambda: c.Trainer(devices=0), "trainer.devices=0", "1 or more"),
    "nodes": (lambda: c.Trainer(nodes=0), "trainer.nodes=0", "1 or more"),
    "threads": (lambda: c.Trainer(threads=0), "trainer.threads=0", "1 or more"),
    "logger": (lambda: c.Logger("mlflow"), "logger.kind=mlflow", "csv, wandb, tensorboard, none"),
    # what both commands share
    "half": (lambda: c.Run(precision="16-mixed"), "precision=16-mixed", "take precision=bf16"),
    "precision": (lambda: c.Run(precision="64"), "precision=64", "32, bf16-mixed"),
    "negative seed": (lambda: c.Run(seed=-1), "seed=-1", "[0, 4294967295]"),
    "long seed": (lambda: c.Run(seed=2**32), "seed=4294967296", "[0, 4294967295]"),
    "epochs": (lambda: c.Run(epochs=0), "epochs=0", "1 or more"),
    "cells": (lambda: c.Run(cells=0), "cells=0", "1 or more"),
    "batch": (lambda: c.Run(batch_size=1), "batch_size=1", "2 or more"),
    "share": (
        lambda: c.Run(batch_size=5, trainer=c.Trainer(devices=2)),
        "batch_size=5",
        "multiple of trainer.devices=2",
    ),
    "odd channels": (lambda: c.Run(channels=3), "channels=3", "even and 2 or more"),
    "no channels": (lambda: c.Run(channels=0), "channels=0", "even and 2 or more"),
    "no batches": (lambda: c.Run(limit_batches=0), "limit_batches=0", "leave it out"),
    "no test batches": (
        lambda: c.Run(limit_test_batches=0),
        "limit_test_batches=0",
        "leave it out",
    ),
    "no tests": (lambda: c.Run(test_every=0), "test_every=0", "1 or more"),
    "graphs": (lambda: c.Run(graphs="on"), "graphs=on", "off"),
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
    # retraining
    "genotype": (lambda: c.RetrainConfig(), "genotype is missing", "genotype=darts_v2"),
    "stem": (lambda: c.RetrainConfig(genotype="a", stem="vgg"), "stem=vgg", "cifar, imagenet"),
    "pretrain": (
        lambda: c.RetrainConfig(genotype="a", pretrain="simclr", pretrain_epochs=1),
        "pretrain=simclr",
        "none, barlow_twins",
    ),
    "pretrain alone": (
        lambda: c.RetrainConfig(genotype="a", pretrain="barlow_twins"),
        "pretrain=barlow_twins pretrain_epochs=0",
        "set both",
    ),
    "pretrain epochs alone": (
        lambda: c.RetrainConfig(genotype="a", pretrain_epochs=3),
        "pretrain=none pretrain_epochs=3",
        "set both",
    ),
    "negative pretrain": (
        lambda: c.RetrainConfig(genotype="a", pretrain="barlow_twins", pretrain_epochs=-1),
        "pretrain_epochs=-1",
        "0 or more",
    ),
    "reweight": (lambda: c.CrossEntropy("often"), "objective.reweight=often", "effective_number"),
    "beta": (lambda: c.ClassBalanced(beta=1.1), "objective.beta=1.1", "[0, 1]"),
    "exponent": (lambda: c.InverseFrequency(exponent=-1.0), "objective.exponent=-1.0", "0 or more"),
    "start 1": (lambda: c.ClassBalanced(start=1.0), "objective.start=1.0", "[0, 1)"),
    "start of nothing": (lambda: c.CrossEntropy(start=0.5), "objective.start=0.5", "nothing to"),
    "gamma": (lambda: c.Focal(gamma=-1.0), "objective.gamma=-1.0", "0 or more"),
    "margin": (lambda: c.Ldam(max_margin=1.5), "objective.max_margin=1.5", "[0, 1]"),
    "tau": (lambda: c.LogitAdjusted(tau=-1.0), "objective.tau=-1.0", "0 or more"),
    "no constants": (lambda: c.BalancedSoftmax(tau=2.0), "objective.tau=2.0", "vector_scaling"),
    "bins": (lambda: c.GradientHarmonising(bins=0), "objective.bins=0", "1 or more"),
    "momentum of counts": (
        lambda: c.GradientHarmonising(momentum=1.0),
        "objective.momentum=1.0",
        "[0, 1)",
    ),
    "head": (lambda: c.LabelAwareSmoothing(head=1.0), "objective.head=1.0", "[0, 1)"),
    "scale": (lambda: c.CosineClassifier(0.0), "classifier.scale=0.0", "above 0"),
    "last rate of a schedule": (lambda: c.Constant(-1.0), "schedule.last=-1.0", "0 or more"),
    "kappa": (lambda: c.Heterogeneous(kappa=-1.0), "schedule.kappa=-1.0", "0 or more"),
    "after": (lambda: c.Freeze(after=0.0), "schedule.after=0.0", "(0, 1]"),
    "warm-up": (lambda: c.WeightOptimiser(warmup_epochs=-1), "weights.warmup_epochs=-1", "0 or"),
    "nesterov": (
        lambda: c.WeightOptimiser(nesterov=True, momentum=0.0),
        "weights.nesterov=true",
        "take weights.momentum=0.9",
    ),
    "decay of rates": (lambda: c.WeightOptimiser(decay="poly"), "weights.decay=poly", "steps"),
    "steps": (lambda: c.WeightOptimiser(steps=[0.5, 1.0]), "weights.steps=[0.5, 1.0]", "(0, 1)"),
    "factor of steps": (lambda: c.WeightOptimiser(factor=0.0), "weights.factor=0.0", "(0, 1]"),
    "mix alpha": (lambda: c.Mixup(alpha=0.0), "mix.alpha=0.0", "above 0"),
    "operations": (lambda: c.RandAugment(count=0), "augmentation.count=0", "1 or more"),
    "magnitude": (lambda: c.RandAugment(magnitude=31), "augmentation.magnitude=31", "[0, 30]"),
    "mixed branches": (
        lambda: c.RetrainConfig(
            genotype="a", mix=c.Mixup(), branches=c.TwoBranches(), auxiliary=0.0
        ),
        "mix with branches=two",
        "take mix=none",
    ),
    "consistency": (
        lambda: c.MixtureConsistency(consistency=-1.0),
        "objective.consistency=-1.0",
        "0 or more",
    ),
    "consistency width": (lambda: c.MixtureConsistency(width=1), "objective.width=1", "2 or more"),
    "mixture in a search": (
        lambda: c.SearchConfig(objective=c.MixtureConsistency()),
        "objective=mixture_consistency",
        "take another",
    ),
    "one view": (
        lambda: c.RetrainConfig(genotype="a", objective=c.MixtureConsistency()),
        "mix=mixup_and_cutmix",
        "set both",
    ),
    "radius": (lambda: c.RetrainConfig(genotype="a", sharpness=-0.1), "sharpness=-0.1", "0 or"),
    "average": (lambda: c.RetrainConfig(genotype="a", averaging=1.0), "averaging=1.0", "[0, 1)"),
    "second stage": (lambda: c.ClassifierStage(epochs=-1), "crt.epochs=-1", "0 or more"),
    "rate of it": (lambda: c.ClassifierStage(learning_rate=0.0), "crt.learning_rate=0.0", "above"),
    "loss of it": (
        lambda: c.RetrainConfig(genotype="a", crt_objective=c.BarlowTwins()),
        "crt_objective",
        "take crt_objective=cross_entropy",
    ),
    "margins of it": (
        lambda: c.RetrainConfig(genotype="a", crt_objective=c.Ldam()),
        "crt_objective=ldam",
        "add classifier=cosine",
    ),
    "second stage of a simplex": (
        lambda: c.RetrainConfig(
            genotype="a", crt=c.ClassifierStage(1), classifier=c.SimplexClassifier()
        ),
        "crt.epochs with classifier=simplex",
        "another classifier",
    ),
    "second stage of branches": (
        lambda: c.RetrainConfig(
            genotype="a", crt=c.ClassifierStage(1), branches=c.TwoBranches(), auxiliary=0.0
        ),
        "crt.epochs with branches=two",
        "branches=one",
    ),
    "devices of the launcher": (
        lambda: c.GpusLauncher(devices=["cuda:0"]),
        "hydra.launcher.devices has 'cuda:0'",
        "nvidia-smi -L",
    ),
    "jobs of a GPU": (
        lambda: c.GpusLauncher(jobs_per_gpu=0),
        "hydra.launcher.jobs_per_gpu=0",
        "1 or more",
    ),
    "GPUs of a job": (
        lambda: c.GpusLauncher(gpus_per_job=0),
        "hydra.launcher.gpus_per_job=0",
        "1 or more",
    ),
    "shared GPUs of jobs with several": (
        lambda: c.GpusLauncher(jobs_per_gpu=2, gpus_per_job=2),
        "hydra.launcher.jobs_per_gpu=2 with gpus_per_job=2",
        "leave one out",
    ),
    "jobs at once": (lambda: c.GpusLauncher(jobs=0), "hydra.launcher.jobs=0", "leave it out"),
    "branch depth": (lambda: c.TwoBranches(depth=2), "branches.depth=2", "0 or 1"),
    "old mixing": (
        lambda: c.TwoBranches(mixing="cosine"),
        "branches.mixing=cosine was renamed",
        "branches.mixing=quarter_cosine",
    ),
    "mixing": (lambda: c.TwoBranches(mixing="half"), "branches.mixing=half", "parabolic"),
    "a second stream": (
        lambda: c.SearchConfig(rebalancing_sampler=c.ClassBalancedSampler()),
        "rebalancing_sampler with branches=one",
        "take branches=two",
    ),
    "branches without labels": (
        lambda: c.SearchConfig(branches=c.TwoBranches(), objective=c.BarlowTwins()),
        "branches=two with objective=barlow_twins",
        "take branches=one",
    ),
    "a branch too many": (
        lambda: c.RetrainConfig(genotype="a", rebalancing_sampler=c.OverSampler()),
        "rebalancing_sampler with branches=one",
        "take branches=two",
    ),
    "auxiliary branch": (
        lambda: c.RetrainConfig(genotype="a", branches=c.TwoBranches()),
        "auxiliary=0.4 with branches=two",
        "take auxiliary=0",
    ),
    "network depth": (lambda: c.ResNet32(depth=18), "network.depth=18", "6 n + 2"),
    "network width": (lambda: c.ResNet20(width=0), "network.width=0", "1 or more"),
    "genotype of a resnet": (
        lambda: c.RetrainConfig(genotype="a", network=c.ResNet32()),
        "genotype=a with network=resnet",
        "leave one of them out",
    ),
    "sampler": (lambda: c.OverSampler(start=1.0), "sampler.start=1.0", "[0, 1)"),
    "projector": (
        lambda: c.SearchConfig(architecture_objective=c.BarlowTwins()),
        "architecture_objective=barlow_twins",
        "take objective=barlow_twins",
    ),
    "margins of lines": (
        lambda: c.SearchConfig(objective=c.Ldam()),
        "objective=ldam",
        "add classifier=cosine",
    ),
    "margins of the architecture": (
        lambda: c.SearchConfig(architecture_objective=c.LdamDrw()),
        "architecture_objective=ldam",
        "add classifier=cosine",
    ),
    "retraining with margins": (
        lambda: c.RetrainConfig(genotype="a", objective=c.Ldam()),
        "objective=ldam",
        "add classifier=cosine",
    ),
    "no labels": (
        lambda: c.RetrainConfig(genotype="a", objective=c.BarlowTwins()),
        "objective=barlow_twins",
        "take pretrain=barlow_twins",
    ),
    "negative adjustment": (
        lambda: c.RetrainConfig(genotype="a", adjust=-1.0),
        "adjust=-1.0",
        "0 or more",
    ),
    "adjusted twice": (
        lambda: c.RetrainConfig(genotype="a", adjust=1.0, objective=c.LogitAdjusted()),
        "adjust=1.0",
        "leave one of them out",
    ),
    "adjusted by the second stage": (
        lambda: c.RetrainConfig(
            genotype="a", adjust=1.0, crt=c.ClassifierStage(1), crt_objective=c.BalancedSoftmax()
        ),
        "adjust=1.0",
        "leave one of them out",
    ),
    "adjusted branches": (
        lambda: c.RetrainConfig(genotype="a", adjust=1.0, branches=c.TwoBranches(), auxiliary=0.0),
        "adjust=1.0 with branches=two",
        "branches=one",
    ),
    "no bias": (
        lambda: c.RetrainConfig(genotype="a", adjust=1.0, classifier=c.CosineClassifier()),
        "adjust=1.0",
        "take classifier=linear",
    ),
    "drop path": (lambda: c.RetrainConfig(genotype="a", drop_path=1.0), "drop_path=1.0", "[0, 1)"),
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
    "enhancement cells of a training": (
        lambda: c.RetrainConfig(genotype="a", enhancement_cells=0),
        "enhancement_cells=0",
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
    "auxiliary": (lambda: c.RetrainConfig(genotype="a", auxiliary=-0.1), "auxiliary=-0.1", "0 or"),
    "cutout": (lambda: c.RetrainConfig(genotype="a", cutout=-1), "cutout=-1", "0 or more"),
    "retrain cells": (lambda: c.RetrainConfig(genotype="a", cells=0), "cells=0", "1 or more"),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_one_line_with_key_value_and_cure(name):
    make, key_and_value, cure = REFUSED[name]
    with pytest.raises(UserError) as caught:
        make()
    message = str(caught.value)
    assert key_and_value in message
    assert cure in message
    assert "\n" not in message


def test_every_requirement_is_refused_by_one_of_the_cases():
    assert len({refusing_line(make) for make, *_ in REFUSED.values()}) == requirements()


def refusing_line(make):
    """Return file and line of the `require...` call in a configuration that refuses."""
    with pytest.raises(UserError) as caught:
        make()
    frames = traceback.extract_tb(caught.value.__traceback__)
    calls = [frame for frame in frames if not frame.name.startswith("require")]
    return calls[-1].filename, calls[-1].lineno


def requirements():
    """Calls of `require...` in the configurations, other than by one another."""
    files = Path(c.__file__).parent.glob("*.py")
    calls = [
        node
        for file in files
        for method in ast.walk(ast.parse(file.read_text()))
        if isinstance(method, ast.FunctionDef)
        and (method.name == "__post_init__" or method.name.startswith("_check"))
        for node in ast.walk(method)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("require")
    ]
    return len(calls)


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
            relaxation=SIGMOID, regulariser=c.ZeroOneL2(), selection=c.ThresholdEdge()
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
