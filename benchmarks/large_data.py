"""Peak memory and time of a training on images that exceed the memory, beside all in memory.

python -m benchmarks.large_data [images=115846] [side=112] [classes=1000] [steps=200] [batch=64]
    [repeats=2] [folder=] [out=]

Makes Parquet files of synthetic JPEG images, and trains a small network on them for some steps:
with images read from the disk batch by batch (`data.placement=host`), and with all of them in
memory (`device`), in turn. The network sees random resized crops of the stored images. The first
training decodes them, too. `folder` keeps files and cache.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import harness

DEFAULTS = {
    "images": "115846",
    "side": "112",
    "classes": "1000",
    "steps": "200",
    "batch": "64",
    "repeats": "2",
    "folder": "",
    "out": "",
}
PLACEMENTS = ("host", "device")
DISTINCT = 512
"""Number of different images, which are used again and again."""
ROWS = 10_000
"""Number of images of a file."""
MULTIPLE = 32
"""The side of a network's images with the ImageNet stem is a multiple of it."""
TESTS = 5
"""Number of test images of each class."""


def main() -> None:
    """Make the files, train, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(words["folder"] or temporary)
        make_files(folder / "images", words)
        decoding = train(folder, words, "host", number=0)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in PLACEMENTS}
        for repeat in range(int(words["repeats"])):
            for name in PLACEMENTS:
                runs[name].append(train(folder, words, name, number=repeat + 1))
    size = int(words["images"]) * 3 * int(words["side"]) ** 2 / 2**30
    rows: list[dict[str, Any]] = [{"placement": "host, and decodes", **decoding}]
    for name in PLACEMENTS:
        keys = runs[name][0]
        rows.append(
            {
                "placement": name,
                **{key: statistics.median(run[key] for run in runs[name]) for key in keys},
            }
        )
    harness.table(
        f"{int(words['images']):,} images of {words['side']} pixels, {size:.2f} GiB decoded",
        ("placement", *(key.replace("_", " ") for key in decoding)),
        [
            tuple(round(value, 2) if isinstance(value, float) else value for value in row.values())
            for row in rows
        ],
    )
    print(f"ratio of the epochs' times: {rows[1]['epoch_seconds'] / rows[2]['epoch_seconds']:.2f}")
    kept = {key: value for key, value in words.items() if key not in ("folder", "out")}
    harness.write(words["out"], "large_data", "cpu", kept, rows)


def make_files(folder: Path, words: dict[str, str]) -> None:
    """Write the Parquet files of training and test images, unless they are there."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    side, classes, count = (int(words[key]) for key in ("side", "classes", "images"))
    encoded = [jpeg(generator, side) for _ in range(DISTINCT)]
    labels = {
        # About as long a tail as that of ImageNet-LT: the classes follow a power law.
        "train": np.sort((classes * generator.random(count) ** 2.5).astype(int)),
        "test": np.arange(classes).repeat(TESTS),
    }
    labels["train"][:classes] = np.arange(classes)  # each class has an image
    for part, numbers in labels.items():
        pieces = np.array_split(numbers, -(-len(numbers) // ROWS))
        for number, piece in enumerate(pieces):
            write_file(folder / f"{part}-{number:05}-of-{len(pieces):05}.parquet", piece, encoded)


def jpeg(generator: np.random.Generator, side: int) -> bytes:
    """Return a smooth random image."""
    coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((side, side)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_file(path: Path, labels: np.ndarray[Any, Any], encoded: list[bytes]) -> None:
    """Write one Parquet file in the layout of the Hugging Face hub."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": encoded[row % len(encoded)], "path": None} for row in range(len(labels))]
    table = {"image": pa.array(images, kind), "label": pa.array(labels, pa.int64())}
    pq.write_table(pa.table(table), path, row_group_size=1000)


def train(folder: Path, words: dict[str, str], placement: str, number: int) -> dict[str, float]:
    """Train in a process of its own; return seconds, those of the epoch, and peak memory."""
    begin, side = time.perf_counter(), int(words["side"])
    crop = side - (side % MULTIPLE or MULTIPLE)
    command = [
        *(sys.executable, "-m", "ltnas.retrain", "genotype=darts_v2", "data=cifar10_parquet"),
        *(f"data.root={folder / 'images'}", f"data.cache={folder / 'cache'}"),
        *("data.mean=null", "data.std=null", f"data.image_size={crop}", f"data.stored_size={side}"),
        *(f"data.placement={placement}", "imbalance=natural", "stem=imagenet"),
        *("channels=4", "cells=2", "auxiliary=0", "epochs=1", f"batch_size={words['batch']}"),
        *(f"limit_batches={words['steps']}", "limit_test_batches=1", "trainer=cpu"),
        *(f"runs={folder / 'runs'}", f"seed={number}", "logger.progress=false"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        harness.refuse(done.stderr)
    run = Path(done.stdout.splitlines()[-1])
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return {
        "seconds": time.perf_counter() - begin,
        "epoch_seconds": metrics["seconds"],
        "peak_memory_gib": metrics["peak_memory_gib"],
    }


if __name__ == "__main__":
    main()
