"""Folders of trained runs for tests, without a training."""

import json
import shutil
from importlib import resources

from ltnas.config import RetrainConfig
from ltnas.runs.fingerprint import fingerprint


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
