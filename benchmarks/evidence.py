"""Results of long trainings: docs/results.md with its pictures, and the table of the README.

python -m benchmarks.evidence [results=results] [root=.]

Reads the trainings in results/study/*.json and results/gpu/*.json, each of one seed, and writes
what it says into the folder `root` of the repository. No number is written by hand.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.patches
from matplotlib.figure import Figure

from benchmarks import harness

DEFAULTS = {"results": "results", "root": "."}
FOLDERS = ("study", "gpu")
LONG = 150
"""Number of epochs from which on a training is as long as those of publications."""
COLOURS = {"many": "#0072b2", "medium": "#56b4e9", "few": "#e69f00"}
MARKS = ("<!-- results: written by benchmarks.evidence -->", "<!-- end of results -->")
PUBLISHED = Path(__file__).with_name("published_results.json")
SIZES = ("channels", "cells", "batch_size", "epochs")
"""Settings that make a training small; others than these and the seed name a system."""


@dataclass(frozen=True)
class System:
    """Trainings of one system that differ in nothing but their seeds.

    Args:
        label: network or scheme, and the settings that differ from the defaults.
        key: recipe and imbalance, by which published results are found.
        results: content of the result files, one a seed.
    """

    label: str
    key: str
    results: tuple[dict[str, Any], ...]

    @property
    def imbalance(self) -> str:
        """Imbalance rule, for example `exp0.1`."""
        return str(self.results[0]["metrics"]["imbalance"])

    @property
    def epochs(self) -> int:
        """Number of epochs of the training."""
        return int(self.results[0]["metrics"]["epochs"])

    def percents(self, score: str) -> list[float]:
        """Return a score on the balanced test set in per cent, one for each seed."""
        return [100 * one["metrics"]["test"]["balanced"][score] for one in self.results]

    def hours(self) -> float:
        """Return the mean time of a training in hours."""
        return statistics.mean(one["seconds"] for one in self.results) / 3600


def main() -> None:
    """Write the page, the pictures and the table of the README."""
    words = harness.arguments(dict(DEFAULTS))
    systems = in_order(read(Path(words["results"])))
    if not systems:
        harness.refuse(f"{words['results']} has no training in {' or '.join(FOLDERS)}")
    root = Path(words["root"])
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    (root / "docs" / "images").mkdir(parents=True, exist_ok=True)
    (root / "docs" / "results.md").write_text(page(systems, published), encoding="utf-8")
    draw(systems, root / "docs" / "images" / "results.svg")
    readme = root / "README.md"
    shown = [one for one in systems if one.epochs >= LONG] or systems
    text = with_table(readme.read_text(encoding="utf-8"), table(shown, published))
    readme.write_text(text, encoding="utf-8")
    print(f"{sum(len(one.results) for one in systems)} trainings of {len(systems)} systems")


def read(folder: Path) -> list[System]:
    """Return the systems of all result files of trainings."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted(path for name in FOLDERS for path in (folder / name).glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("metrics", {}).get("kind") == "retrain":
            groups.setdefault(named(content), []).append(content)
    return [System(*names, tuple(members)) for names, members in groups.items()]


def named(content: dict[str, Any]) -> tuple[str, str]:
    """Return label and key of the system of a result."""
    words = dict(word.split("=", 1) for word in shlex.split(content["command"]) if "=" in word)
    recipe = words.get("recipe", "paper")
    network = words.get("network") or f"scheme `{content['metrics']['scheme']}`"
    left_out = {"seed", "network", "imbalance", "genotype", "recipe", *SIZES}
    others = [f"{key}={value}" for key, value in sorted(words.items()) if key not in left_out]
    label = ", ".join([network, f"recipe `{recipe}`", *(f"`{word}`" for word in others)])
    return label, f"{recipe} {content['metrics']['imbalance']}"


def in_order(systems: Sequence[System]) -> list[System]:
    """Return the systems by length of training and imbalance, the most accurate first."""
    return sorted(
        systems,
        key=lambda one: (
            one.epochs < LONG,
            one.imbalance,
            -statistics.mean(one.percents("accuracy")),
            one.label,
        ),
    )


def page(systems: Sequence[System], published: dict[str, Any]) -> str:
    """Return docs/results.md."""
    lengths = {
        "Trainings of published length": [one for one in systems if one.epochs >= LONG],
        "Small-scale trainings": [one for one in systems if one.epochs < LONG],
    }
    parts = [
        "# Results\n",
        "`python -m benchmarks.evidence` writes this page from the files in results/study and "
        "results/gpu, one file for each training. Accuracies are per cent on the balanced test set "
        "of CIFAR-10, means over seeds with standard deviations; test images were not used to "
        "choose anything, and every result is that of the last epoch.\n",
        "![Accuracy over the cost of a network, and accuracy by shot group](images/results.svg)\n",
    ]
    for heading, members in lengths.items():
        if members:
            parts += [f"## {heading}\n", table(members, published)]
    seeds = min(len(one.results) for one in systems)
    if seeds < 3:
        parts.append(
            "Systems with fewer than three seeds have no meaningful deviation: seeds of such "
            "trainings often differ by a point.\n"
        )
    parts += ["## Files\n", *(files(one) for one in systems)]
    return "\n".join(parts)


def table(systems: Sequence[System], published: dict[str, Any]) -> str:
    """Return the systems as a Markdown table."""
    heads = ("system", "imbalance", "epochs", "seeds", "all", "many", "medium", "few")
    costs = ("parameters, M", "MACs, M", "hours", "published")
    lines = [
        f"| {' | '.join((*heads, *costs))} |",
        f"| --- | --- |{' ---: |' * (len(heads) + len(costs) - 3)} --- |",
    ]
    for one in systems:
        metrics, theirs = one.results[0]["metrics"], published.get(one.key)
        cells = [
            *(one.label, one.imbalance, str(one.epochs), str(len(one.results))),
            *(spread(one.percents(score)) for score in ("accuracy", "many", "medium", "few")),
            f"{metrics['parameters'] / 1e6:.2f}",
            f"{metrics['multiply_accumulates'] / 1e6:.0f}",
            f"{one.hours():.1f}",
            "-" if theirs is None else f"{theirs['accuracy']} ({theirs['source']})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation as text."""
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.1f}"


def files(system: System) -> str:
    """Return the commands, commits and devices of a system, one line a training."""
    lines = [
        f"- `{one['command']}`, commit {one['commit'][:7]}, {one['device']}, torch "
        f"{one['versions']['torch']}"
        for one in system.results
    ]
    return "\n".join([*lines, ""])


def with_table(readme: str, text: str) -> str:
    """Return the README with a table between its two marks."""
    first, last = map(re.escape, MARKS)
    found, count = re.subn(
        f"{first}\n.*?{last}", f"{MARKS[0]}\n\n{text}\n{MARKS[1]}", readme, flags=re.S
    )
    if count != 1:
        harness.refuse(f"README.md needs the marks {' and '.join(MARKS)} once")
    return found


def draw(systems: Sequence[System], path: Path) -> None:
    """Draw accuracy over multiply-accumulates, and accuracy by shot group, as one SVG file."""
    # No date and fixed identifiers, so that equal results give equal files; text stays text.
    with mpl.rc_context({"svg.hashsalt": "ltnas", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 2.4 + 0.35 * len(systems)), layout="constrained")
        left, right = figure.subplots(1, 2)
        for number, one in enumerate(systems):
            macs = one.results[0]["metrics"]["multiply_accumulates"] / 1e6
            mean = statistics.mean(one.percents("accuracy"))
            left.scatter(macs, mean, color="#22262b")
            left.annotate(str(number + 1), (macs, mean), (5, 4), textcoords="offset points")
            for place, (group, colour) in enumerate(COLOURS.items()):
                value = statistics.mean(one.percents(group))
                right.barh(number + 0.26 * (place - 1), value, 0.24, color=colour)
        left.set(xlabel="multiply-accumulates, millions", ylabel="accuracy, %")
        labels = [f"{one.label.replace('`', '')}, {one.imbalance}" for one in systems]
        names = [f"{number}: {label}" for number, label in enumerate(labels, start=1)]
        right.set_yticks(range(len(systems)), names, fontsize=7)
        right.invert_yaxis()
        right.set(xlabel="accuracy by shot group, %", xlim=(0, 100))
        handles = [mpl.patches.Patch(color=colour, label=name) for name, colour in COLOURS.items()]
        right.legend(handles=handles, frameon=False, fontsize=7, loc="lower right")
        for panel in (left, right):
            panel.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
