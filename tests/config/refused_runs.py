"""Refused settings of data, machines and what all commands share; see `test_refusals`."""

from ltnas import config as c

REFUSED = {
    "search stem": (lambda: c.SearchConfig(stem="vgg"), "stem=vgg", "auto, cifar, imagenet"),
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
    "source": (lambda: c.Data("mnist"), "data.source=mnist", "cifar10, cifar10_parquet,"),
    "folder root": (lambda: c.Data("folder"), "data=folder", "add data.root=PATH"),
    "parquet root": (lambda: c.Data("cifar10_parquet"), "data=cifar10_parquet", "add data.root="),
    "root or list": (lambda: c.Data("list"), "data=list", "add data.root=PATH or data.train=PATH"),
    "root or hub": (lambda: c.Data("parquet"), "data=parquet", "or data.hub=OWNER/NAME"),
    "no name": (lambda: c.Data("torchvision"), "data=torchvision", "add data.name=CIFAR100"),
    "key of another source": (
        lambda: c.Data("folder", "x", label="dx"),
        "data.label=dx means nothing for data=folder",
        "it is for data=list and data=parquet",
    ),
    "image size": (lambda: c.Data(image_size=3), "data.image_size=3", "take 4 or more"),
    "stored size alone": (
        lambda: c.Data(stored_size=40),
        "data.stored_size=40",
        "add data.image_size",
    ),
    "stored size": (
        lambda: c.Data(image_size=32, stored_size=32),
        "data.stored_size=32 must be larger than data.image_size=32",
        "leave it out",
    ),
    "resized crop": (lambda: c.Data(min_crop_area=0), "data.min_crop_area=0", "(0, 1]"),
    "padding": (lambda: c.Data(crop_padding=-1), "data.crop_padding=-1", "0 or more"),
    "split seed": (lambda: c.Data(split_seed=-1), "data.split_seed=-1", "[0, 4294967295]"),
    "validation": (lambda: c.Data(validation=0.6), "data.validation=0.6", "[0, 0.5]"),
    "placement": (lambda: c.Data(placement="disk"), "data.placement=disk", "auto, device, host"),
    "broken images": (lambda: c.Data(broken="keep"), "data.broken=keep", "error, skip"),
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
    "logger": (
        lambda: c.Logger("neptune"),
        "logger.kind=neptune",
        "csv, wandb, tensorboard, mlflow",
    ),
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
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""
