"""Folders of trained runs for tests, without a training."""

import json
import shutil
from importlib import resources

import torch

from ltnas.config import RetrainConfig
from ltnas.models.build import described_network
from ltnas.models.saved import save_network
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.folder import RunFolder
from ltnas.space.genotype import load_genotype


def trained_run(root, name, accuracy, genotype="darts_v2", tests="balanced", **settings):
    """Write the folder of a finished training, as far as rankings read it, and return its path."""
    config = RetrainConfig(genotype=genotype, **settings)
    folder = root / name
    folder.mkdir(parents=True)
    published = resources.files("ltnas.space") / "published" / f"{genotype}.json"
    shutil.copy(str(published), folder / "genotype.json")
    (folder / "fingerprint.json").write_text(json.dumps(fingerprint(config)))
    report = {"accuracy": accuracy, "macro_accuracy": accuracy / 2}
    metrics = {
        **{"kind": "retrain", "scheme": genotype, "imbalance": "balance", "seed": config.seed},
        **{"seconds": 1.0, "peak_memory_gib": 1.0, "parameters": 1, "multiply_accumulates": 1},
        "data": {"subset_checksum": "f00d", "source": "digits"},
        "test": {tests: report, "long_tailed": report},
        "provenance": {"commit": "a" * 40, "command": "python -m ltnas.retrain"},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def saved_network(
    folder,
    *,
    size=8,
    stored=None,
    classes=("newt", "oak", "[red]"),
    prior=(0.6, 0.3, 0.1),
    **changes,
):
    """Write the network of a finished training with random weights, and return its folder."""
    torch.manual_seed(3)
    description = {
        **{"genotype": load_genotype("darts_v1")[0].to_json(), "channels": 4, "cells": 3},
        **{"auxiliary": False, "stem": "cifar", "branch_depth": None},
        "preprocessing": {
            **{"mean": [0.1, 0.5, 0.7], "std": [0.2, 0.3, 0.4]},
            **{"image_size": size, "classes": list(classes)},
            "stored_size": stored,
        },
        "prior": None if prior is None else list(prior),
        **changes,
    }
    network = described_network(description, len(classes), "test").eval()
    with torch.no_grad():  # logits of new networks are nearly equal
        network.classifier.weight.mul_(20)
    folder.mkdir(parents=True, exist_ok=True)
    save_network(RunFolder(folder), network, description)
    return folder
