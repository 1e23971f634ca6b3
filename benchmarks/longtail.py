"""Comparison of losses, samplers and recipes for long-tailed training data, on real images.

    python -m benchmarks.longtail data=cifar10_parquet root=cifar10

Every method trains the same network for the same number of steps, for each imbalance and seed, with
the retrain command. An interrupted study continues when it is run again. The sizes suit a CPU: the
results show how methods compare early in a training, not the accuracy that they can reach.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.harness import arguments, table, write
from ltnas.data.test_sets import all_images, headline, title

METHODS = {
    "cross-entropy": ["recipe=cross_entropy"],
    "re-weighting": ["recipe=cross_entropy", "objective=class_balanced"],
    "re-sampling": ["recipe=cross_entropy", "sampler=class_balanced"],
    "logit adjustment": ["recipe=cross_entropy", "objective=logit_adjusted"],
    "LDAM-DRW": ["recipe=paper_ldam_drw"],
    **{
        f"+ {name}": ["recipe=cross_entropy", "objective=logit_adjusted", part]
        for name, part in (
            ("mixed images", "mix=mixup_or_cutmix"),
            ("RandAugment", "augmentation=rand_augment"),
            ("sharpness-aware", "sharpness=0.1"),
            # Over about a hundred steps, because the trainings have 960.
            ("averaging", "averaging=0.99"),
        )
    },
}
"""Method -> its overrides. All use a cosine learning rate schedule; those with + add one part to
logit adjustment."""

SHOWN = ("accuracy", "many", "medium", "few", "macro_f1", "calibration_error")


def command(words: dict[str, str], runs: Path, imbalance: str, method: str, seed: int) -> list[str]:
    """Return the command of one training of the study."""
    data = [f"data={words['data']}", *([f"data.root={words['root']}"] if words["root"] else [])]
    network = ["network=resnet20", f"network.depth={words['depth']}"]
    return [
        *(sys.executable, "-m", "ltnas.retrain", *network, f"network.width={words['width']}"),
        *("weights.decay=cosine", "weights.warmup_epochs=1"),
        *(f"epochs={words['epochs']}", f"limit_batches={words['steps']}", *METHODS[method]),
        *(f"imbalance={imbalance}", f"seed={seed}", *data),
        *("trainer=cpu", "trainer.threads=1", "logger.progress=false", f"runs={runs}"),
        "resume=auto",
    ]


def trained(words: dict[str, str], imbalance: str, method: str, seed: int) -> dict[str, Any]:
    """Return the metrics of one training, after running it if it has no result yet."""
    runs = Path(words["runs"]) / imbalance / method.replace(" ", "_") / str(seed)
    found = list(runs.glob("*/metrics.json"))
    if not found:
        done = subprocess.run(
            command(words, runs, imbalance, method, seed),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{imbalance} {method} seed {seed}: {done.stderr.strip()}")
        found = list(runs.glob("*/metrics.json"))
        print(f"{imbalance} {method} seed {seed}", flush=True)
    metrics: dict[str, Any] = json.loads(found[0].read_text())
    return metrics


def row(imbalance: str, method: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means and standard deviations over seeds, on all test images, in [0, 1].

    If these are not balanced, the accuracy is the mean of the classes' accuracies.
    """
    name = all_images(runs[0]["test"])
    reports = [run["test"][name] for run in runs]
    sources = {"accuracy": headline(name)}  # of all other numbers, themselves
    values = {key: [report[sources.get(key, key)] for report in reports] for key in SHOWN}
    return {
        "imbalance": imbalance,
        "method": method,
        "seeds": [run["seed"] for run in runs],
        "subset_checksum": runs[0]["data"]["subset_checksum"],
        "parameters": runs[0]["parameters"],
        "seconds": round(statistics.mean(run["seconds"] for run in runs), 1),
        "mean": {key: round(statistics.mean(found), 4) for key, found in values.items()},
        "deviation": {
            key: round(statistics.stdev(found), 4) if len(found) > 1 else None
            for key, found in values.items()
        },
        "accuracies": values["accuracy"],
        "commits": sorted({run["provenance"]["commit"][:7] for run in runs}),
    }


def cell(found: dict[str, Any], key: str) -> str:
    """Return a mean in per cent as text, with its standard deviation if there is one."""
    mean, deviation = 100 * found["mean"][key], found["deviation"][key]
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {100 * deviation:.1f}"


def main() -> None:
    """Run the trainings that have no result yet, and print the table."""
    words = arguments(
        {
            **{"imbalances": "exp0.01,exp0.1", "methods": "all", "seeds": "3", "epochs": "10"},
            **{
                "steps": "96",
                "depth": "8",
                "width": "8",
                "data": "cifar10",
                "root": "",
                "jobs": "2",
            },
            **{"runs": "runs/longtail", "out": ""},
        }
    )
    methods = list(METHODS) if words["methods"] == "all" else words["methods"].split(",")
    seeds = range(int(words["seeds"]))
    jobs = list(product(seeds, words["imbalances"].split(","), methods))
    with ThreadPoolExecutor(int(words["jobs"])) as pool:
        done = list(pool.map(lambda job: trained(words, job[1], job[2], job[0]), jobs))
    results = dict(zip(jobs, done, strict=True))
    rows = [
        row(imbalance, method, [results[seed, imbalance, method] for seed in seeds])
        for imbalance, method in product(words["imbalances"].split(","), methods)
    ]
    tested = title(all_images(done[0]["test"]))
    for imbalance in words["imbalances"].split(","):
        table(
            f"{imbalance}: {tested}, %, mean and deviation of {len(seeds)} seeds",
            ("method", "all", "many", "medium", "few", "ECE"),
            [
                [
                    found["method"],
                    *(cell(found, key) for key in (*SHOWN[:4], "calibration_error")),
                ]
                for found in rows
                if found["imbalance"] == imbalance
            ],
        )
    settings = {key: value for key, value in words.items() if key not in ("root", "runs", "out")}
    write(words["out"], "longtail", "cpu", settings, rows)


if __name__ == "__main__":
    main()
