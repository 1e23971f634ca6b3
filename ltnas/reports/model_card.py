"""Model card of a training: what its network is, how good it is, and what to doubt, in Markdown.

Everything comes from metrics.json. The command of the training is not repeated, because it may
contain paths of the user's machine, and the card is what the Hugging Face hub shows.
"""

from __future__ import annotations

from typing import Any

from ltnas.data.test_sets import VALIDATION, all_images, title
from ltnas.reports.formats import in_markdown
from ltnas.reports.model_doubts import doubts

CARD = "model_card.md"
"""Name of the card in a run folder."""
WORST = 5
"""Number of classes that are listed as the worst ones."""
SHOWN_CLASSES = 20
"""Number of classes up to which the training images of each are listed."""

HEADER = """---
library_name: ltnas
pipeline_tag: image-classification
tags:
- image-classification
- long-tailed
- neural-architecture-search
---
"""
USE = """## Use

```python
import ltnas

network = ltnas.load_network("FOLDER")  # the folder of network.safetensors and network.json
logits = network(ltnas.prepare(network, "photo.jpg"))
print(network.preprocessing["classes"][logits.argmax()])
```

On the command line: `python -m ltnas.predict run=FOLDER images=photos`. To compare images whose
classes are as frequent as each other, add `prior=uniform`.

## Licence

None is stated here. Whoever publishes this network adds one, which must fit that of its training
images.
"""


def model_card(metrics: dict[str, Any]) -> str:
    """Return the model card of a training.

    Args:
        metrics: content of its metrics.json.
    """
    parts = (_title(metrics), _data(metrics), _results(metrics), _doubts(metrics), USE)
    return HEADER + "\n".join(parts)


def _title(metrics: dict[str, Any]) -> str:
    data, provenance = metrics["data"], metrics["provenance"]
    scheme = in_markdown(metrics["scheme"])
    return f"""# {scheme}, trained on {in_markdown(data["source"])} {data["imbalance"]}

A classifier of {len(data["classes"])} classes for images of {data["image_size"]} x \
{data["image_size"]} pixels, with {metrics["parameters"]:,} parameters and \
{metrics["multiply_accumulates"]:,} multiply-accumulates for an image. It is the network of the \
last of {metrics["epochs"]} epochs, trained with seed {metrics["seed"]} by ltnas \
{provenance["versions"]["ltnas"]}, commit `{provenance["commit"]}`, on {provenance["device"]}.
"""


def _data(metrics: dict[str, Any]) -> str:
    data = metrics["data"]
    counts = dict(zip(data["classes"], data["class_counts"], strict=True))
    largest, smallest = max(counts.values()), min(counts.values())
    lines = [
        "## Data",
        "",
        f"{sum(counts.values()):,} training images; the largest class has {largest:,} of them, the "
        f"smallest {smallest:,}. Subset `{data['subset_checksum']}`, images `{data['checksum']}`.",
        "",
    ]
    if len(counts) <= SHOWN_CLASSES:
        lines += ["| class | training images |", "| --- | ---: |"]
        lines += [f"| {in_markdown(name)} | {count:,} |" for name, count in counts.items()]
        lines.append("")
    return "\n".join(lines)


def _results(metrics: dict[str, Any]) -> str:
    reports = dict(metrics["test"])
    if VALIDATION in metrics:
        reports[VALIDATION] = metrics[VALIDATION]
    rows = {
        "all images": "accuracy",
        "mean of the classes": "macro_accuracy",
        "many-shot classes": "many",
        "medium-shot classes": "medium",
        "few-shot classes": "few",
        "macro F1": "macro_f1",
        "calibration error": "calibration_error",
    }
    lines = [
        "## Results",
        "",
        "Accuracy in per cent. Test images were used neither for the training nor to choose an "
        "epoch.",
        "",
        f"| | {' | '.join(title(name) for name in reports)} |",
        f"| --- |{' ---: |' * len(reports)}",
        f"| images | {' | '.join(str(one['images']) for one in reports.values())} |",
    ]
    for label, key in rows.items():
        values = " | ".join(_percent(one[key]) for one in reports.values())
        lines.append(f"| {label} | {values} |")
    return "\n".join([*lines, "", *_worst(metrics), *_calibration(metrics), ""])


def _calibration(metrics: dict[str, Any]) -> list[str]:
    """Return a sentence about the temperature, if there is one."""
    if "calibration" not in metrics:
        return []
    found, name = metrics["calibration"], all_images(metrics["test"])
    before, after = (found["calibration_error"][name][key] for key in ("before", "after"))
    return [
        "",
        f"Probabilities are those of logits divided by {found['temperature']:.3f}, which was "
        f"fitted to the images for validation. That changes the calibration error on the "
        f"{title(name)} set from {_percent(before)} to {_percent(after)}, and no prediction.",
    ]


def _worst(metrics: dict[str, Any]) -> list[str]:
    """Return a sentence with the classes of the lowest accuracy on all test images."""
    reports, data = metrics["test"], metrics["data"]
    name = all_images(reports)
    counts = dict(zip(data["classes"], data["class_counts"], strict=True))
    known = {key: value for key, value in reports[name]["per_class"].items() if value is not None}
    worst = sorted(known, key=lambda one: (known[one], counts[one]))[:WORST]
    listed = ", ".join(
        f"{in_markdown(one)}: {_percent(known[one])} ({counts[one]:,} training images)"
        for one in worst
    )
    return [f"Worst classes on the {title(name)}: {listed}."]


def _doubts(metrics: dict[str, Any]) -> str:
    lines = [f"- {in_markdown(line)}" for line in doubts(metrics)]
    return "\n".join(["## What to doubt", "", *lines, ""])


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
