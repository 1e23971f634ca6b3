"""Bar chart of the step times, plain and ours, drawn from a result file.

python -m benchmarks.picture [results=FILE] [out=docs/images/steps.png]
"""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks import harness

DEFAULTS = {
    "results": "results/benchmarks/search_step-cpu.json",
    "out": "docs/images/steps.png",
}


def main() -> None:
    """Draw the bar chart."""
    words = harness.arguments(dict(DEFAULTS))
    found = json.loads(Path(words["results"]).read_text(encoding="utf-8"))
    rows = found["rows"]
    figure, axes = plt.subplots(figsize=(7.2, 0.5 + 0.42 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        plain, ours = (row[name]["median_ms"] / 1000 for name in ("plain", "ours"))
        axes.barh(place - 0.2, plain, 0.38, color="#b8bec7")
        axes.barh(place + 0.2, ours, 0.38, color="#1f6feb")
        axes.text(
            ours, place + 0.2, f" {ours:.2f} s, {row['ratio']:.1f} times as fast", va="center"
        )
        axes.text(plain, place - 0.2, f" {plain:.1f} s ", va="center", color="#57606a")
    axes.set_yticks(
        range(len(rows)), [f"{row['part']} step\nbatch {row['batch']}" for row in rows], fontsize=8
    )
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds, median")
    machine = found["machine"]
    axes.set_title(
        f"DARTS supernet, 16 channels, 8 cells: plain (grey) and ltnas (blue); "
        f"{machine['name']}, {machine['threads']} threads",
        fontsize=9,
        loc="left",
    )
    figure.savefig(words["out"], dpi=150)


if __name__ == "__main__":
    main()
