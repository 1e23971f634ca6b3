"""Refused settings of retraining, its losses and sweeps of it; see `test_refusals`."""

from ltnas import config as c

REFUSED = {
    # retraining
    "enhancement cells of a training": (
        lambda: c.RetrainConfig(genotype="a", enhancement_cells=0),
        "enhancement_cells=0",
        "1 or more",
    ),
    "genotype": (lambda: c.RetrainConfig(), "genotype is missing", "genotype=darts_v2"),
    "stem": (
        lambda: c.RetrainConfig(genotype="a", stem="vgg"),
        "stem=vgg",
        "auto, cifar, imagenet",
    ),
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
    "partners of nothing": (
        lambda: c.NoMix(partner_exponent=1.0),
        "mix.partner_exponent=1.0",
        "there are no partners",
    ),
    "weight normalisation": (
        lambda: c.ClassBalanced(weight_normalisation="epoch"),
        "objective.weight_normalisation=epoch",
        "images, batch, classes",
    ),
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
    "fill": (lambda: c.AutoAugment(fill=256), "augmentation.fill=256", "[0, 255]"),
    "drawn for": (lambda: c.Mixup(drawn_for="pixels"), "mix.drawn_for=pixels", "images, batches"),
    "partners": (
        lambda: c.Mixup(partner_exponent=-0.1),
        "mix.partner_exponent=-0.1",
        "null for the next",
    ),
    "end of the multiplication": (
        lambda: c.VectorScaling(multiplicative_end=0.0),
        "objective.multiplicative_end=0.0",
        "gamma=0",
    ),
    "heads": (
        lambda: c.MixtureConsistency(heads="deep"),
        "objective.heads=deep",
        "perceptron, linear",
    ),
    "factor of the radius": (
        lambda: c.RetrainConfig(genotype="a", sharpness_factor=0.0),
        "sharpness_factor=0.0",
        "above 0",
    ),
    "step of the radius": (
        lambda: c.RetrainConfig(genotype="a", sharpness_step=1.0),
        "sharpness_step=1.0",
        "(0, 1)",
    ),
    "share of norms": (
        lambda: c.ClassifierStage(epochs=1, fresh=False, max_norm=1.1),
        "crt.max_norm=1.1",
        "[0, 1]",
    ),
    "norms without a second stage": (
        lambda: c.ClassifierStage(fresh=False, max_norm=0.1),
        "crt.max_norm=0.1 without",
        "crt.epochs=10",
    ),
    "norms of a new classifier": (
        lambda: c.ClassifierStage(epochs=1, max_norm=0.1),
        "crt.max_norm=0.1 with crt.fresh=true",
        "take crt.fresh=false",
    ),
    "norms and factors": (
        lambda: c.RetrainConfig(
            genotype="a",
            crt=c.ClassifierStage(epochs=1, fresh=False, max_norm=0.1, scaling_rate=0.1),
        ),
        "crt.max_norm=0.1 with crt.scaling_rate=0.1",
        "leave one of them out",
    ),
    "norms of cosines": (
        lambda: c.RetrainConfig(
            genotype="a",
            classifier=c.CosineClassifier(),
            crt=c.ClassifierStage(epochs=1, fresh=False, max_norm=0.1),
        ),
        "crt.max_norm=0.1 needs classifier=linear",
        "leave one of them out",
    ),
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
    "rate of it": (
        lambda: c.ClassifierOptimiser(learning_rate=0.0),
        "crt.weights.learning_rate=0.0",
        "above 0",
    ),
    "momentum of it": (
        lambda: c.ClassifierOptimiser(momentum=0.0),
        "crt.weights.nesterov=true with crt.weights.momentum=0",
        "take crt.weights.momentum=0.9",
    ),
    "rate of pre-training": (
        lambda: c.PretrainingOptimiser(clip=0.0),
        "pretrain_weights.clip=0.0",
        "null for none",
    ),
    "start of a warm-up": (
        lambda: c.WeightOptimiser(warmup_start=1.0),
        "weights.warmup_start=1.0",
        "[0, 1)",
    ),
    "rate of factors": (
        lambda: c.ClassifierStage(scaling_rate=-0.1),
        "crt.scaling_rate=-0.1",
        "0 or more",
    ),
    "factors of a new classifier": (
        lambda: c.ClassifierStage(scaling_rate=0.1),
        "crt.scaling_rate=0.1 with crt.fresh=true",
        "add crt.fresh=false",
    ),
    "factors without a stage": (
        lambda: c.ClassifierStage(fresh=False, scaling_rate=0.1),
        "crt.scaling_rate=0.1 with crt.epochs=0",
        "add crt.epochs=10",
    ),
    "factors of cosines": (
        lambda: c.RetrainConfig(
            genotype="a",
            crt=c.ClassifierStage(1, fresh=False, scaling_rate=0.1),
            classifier=c.CosineClassifier(),
        ),
        "crt.scaling_rate=0.1",
        "take classifier=linear",
    ),
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
    "branches of masked images": (
        lambda: c.SearchConfig(branches=c.TwoBranches(), objective=c.MaskedReconstruction()),
        "branches=two with objective=masked_reconstruction",
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
    "decoder of the architecture": (
        lambda: c.SearchConfig(architecture_objective=c.MaskedReconstruction()),
        "architecture_objective=masked_reconstruction",
        "take objective=masked_reconstruction",
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
    "masked retraining": (
        lambda: c.RetrainConfig(genotype="a", objective=c.MaskedReconstruction()),
        "objective=masked_reconstruction",
        "take pretrain=barlow_twins",
    ),
    "masked pretraining": (
        lambda: c.RetrainConfig(genotype="a", pretrain="masked_reconstruction", pretrain_epochs=1),
        "pretrain=masked_reconstruction",
        "none, barlow_twins",
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
    "auxiliary": (lambda: c.RetrainConfig(genotype="a", auxiliary=-0.1), "auxiliary=-0.1", "0 or"),
    "cutout": (lambda: c.RetrainConfig(genotype="a", cutout=-1), "cutout=-1", "0 or more"),
    "retrain cells": (lambda: c.RetrainConfig(genotype="a", cells=0), "cells=0", "1 or more"),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""
