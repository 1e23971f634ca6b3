"""Plots: drawn from files alone, reproducible, and with the expected colours on them."""

import csv
import io
import itertools
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from ltnas.config import KNOWN_OPERATIONS, OPERATIONS
from ltnas.plots.architecture import operations_in, plot_architecture, read_curves
from ltnas.plots.cells import draw, plot_cells
from ltnas.plots.curves import COLOURS, OTHERS, accuracies, losses, plot_curves
from ltnas.plots.figure import OPERATION_COLOURS, PAPER
from ltnas.plots.heat_map import heat_map
from ltnas.runs.folder import RunFolder
from ltnas.space.genotype import parse_genotype
from ltnas.space.layout import edges

EMPTY = {"edges": [["skip_connect", 2, 0]], "concat": [2]}


def both_kinds(cell):
    return {"normal": cell, "reduce": cell}


GENOTYPES = {
    "all operations": both_kinds(
        {
            "edges": [
                [operation, 2 + number // 2, number % 2]
                for number, operation in enumerate(KNOWN_OPERATIONS)
            ],
            "concat": [2, 3, 4, 5, 6],
        }
    ),
    "one edge": both_kinds(EMPTY),
    "dead nodes": both_kinds(
        {
            "edges": [
                *(["sep_conv_3x3", 2, 0], ["dil_conv_3x3", 4, 3]),
                *(["max_pool_3x3", 5, 4], ["avg_pool_3x3", 5, 2]),
            ],
            "concat": [2, 5],
        }
    ),
    "two operations on an edge": both_kinds(
        {
            "edges": [
                *(["sep_conv_3x3", 2, 0], ["skip_connect", 2, 0], ["sep_conv_5x5", 2, 1]),
                *(["dil_conv_5x5", 3, 2], ["max_pool_3x3", 3, 2]),
            ],
            "concat": [3],
        }
    ),
    "many nodes": both_kinds(
        {
            "edges": [
                ["sep_conv_3x3" if source % 2 else "skip_connect", node, source]
                for node, source in edges(6)
            ],
            "concat": list(range(2, 8)),
        }
    ),
}


def used(genotype):
    return {edge[0] for cell in genotype.values() for edge in cell["edges"]}


def drawn(folder, plot, *names, again=False):
    """Return the contents of the drawn files; with `again`, check that drawing is reproducible."""
    plot(RunFolder(folder))
    first = [(folder / name).read_bytes() for name in names]
    if again:
        plot(RunFolder(folder))
        assert [(folder / name).read_bytes() for name in names] == first
    assert not list(folder.glob(".*"))
    return first


def pixels(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)


def rgb(colour):
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def has(image, colour):
    return bool((image == rgb(colour)).all(1).any())


@pytest.mark.parametrize("name", GENOTYPES)
def test_cells(tmp_path, name):
    genotype = GENOTYPES[name]
    (tmp_path / "genotype.json").write_text(json.dumps(genotype))
    svg, png = drawn(tmp_path, plot_cells, "cells.svg", "cells.png", again=name == "all operations")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    image = pixels(png)
    assert (image == rgb(PAPER)).all(1).mean() > 0.5
    for operation, colour in OPERATION_COLOURS.items():
        assert (colour.encode() in svg) is (operation in used(genotype)), operation
        assert has(image, colour) is (operation in used(genotype)), operation


@pytest.mark.parametrize("name", GENOTYPES)
def test_each_edge_and_each_output_has_an_arrow(name):
    genotype = GENOTYPES[name]
    figure = draw(parse_genotype(genotype, name))
    for axes, kind in zip(figure.axes, ("normal", "reduce"), strict=True):
        arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
        assert len(arrows) == len(genotype[kind]["edges"]) + len(genotype[kind]["concat"])
        nodes = {node for _, node, _ in genotype[kind]["edges"]}
        shown = {text.get_text() for text in axes.texts}
        assert {"c(k-2)", "c(k-1)", "c(k)", *map(str, nodes)} <= shown


def write(folder, name, rows):
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def weights(epochs, nodes, operations):
    """Return rows of architecture.csv in which no two curves are equal."""
    places = itertools.product(range(epochs), ("normal", "reduce"), edges(nodes), operations)
    return [
        {
            "epoch": epoch,
            "cell": kind,
            "node": node,
            "source": source,
            "operation": operation,
            "weight": (1 + OPERATIONS.index(operation)) / 10 + 0.01 * epoch + 0.001 * source,
        }
        for epoch, kind, (node, source), operation in places
    ]


@pytest.mark.parametrize(
    ("epochs", "nodes", "operations"),
    [(3, 2, OPERATIONS), (1, 1, OPERATIONS), (2, 2, OPERATIONS[1:3])],
)
def test_architecture(tmp_path, epochs, nodes, operations):
    rows = weights(epochs, nodes, operations)
    write(tmp_path, "architecture.csv", rows)
    (png,) = drawn(tmp_path, plot_architecture, "architecture.png", again=nodes == 1)
    image = pixels(png)
    for operation, colour in OPERATION_COLOURS.items():
        assert has(image, colour) is (operation in operations), operation
    curves = read_curves(RunFolder(tmp_path))
    assert list(curves) == ["normal", "reduce"]
    for row in rows:
        edge = (row["node"], row["source"])
        assert curves[row["cell"]][edge][row["operation"]][row["epoch"]] == row["weight"]


def test_edges_may_differ_in_their_operations(tmp_path):
    listed = {(2, 0): ("skip_connect", "noise"), (2, 1): ("max_pool_3x3",)}
    rows = [
        row
        for row in weights(2, 1, ("max_pool_3x3", "skip_connect"))
        if row["operation"] in listed[row["node"], row["source"]]
    ]
    rows += [{**row, "operation": "noise"} for row in rows if row["source"] == 0]
    write(tmp_path, "architecture.csv", rows)
    (png,) = drawn(tmp_path, plot_architecture, "architecture.png")
    used = {"max_pool_3x3", "skip_connect", "noise"}
    for operation, colour in OPERATION_COLOURS.items():
        assert has(pixels(png), colour) is (operation in used), operation
    curves = read_curves(RunFolder(tmp_path))
    assert {edge: tuple(names) for edge, names in curves["reduce"].items()} == listed
    assert operations_in(curves) == ["skip_connect", "noise", "max_pool_3x3"]


def test_a_heat_map_leaves_out_what_a_stage_has_dropped():
    of_edges = {(2, 0): {"skip_connect": [0.25, 0.75], "sep_conv_3x3": [0.5]}}
    panel = heat_map({"normal": of_edges, "reduce": of_edges}, 1).axes[0]
    table = np.ma.filled(panel.images[0].get_array(), np.nan)
    np.testing.assert_equal(table, [[0.75, np.nan]])


def test_a_heat_map_leaves_out_what_an_edge_does_not_have():
    of_edges = {(2, 0): {"skip_connect": [0.25, 0.75]}, (2, 1): {"noise": [0.5, 0.5]}}
    figure = heat_map({"normal": of_edges, "reduce": of_edges}, 1)
    for panel in figure.axes[:2]:
        names = [label.get_text() for label in panel.get_xticklabels()]
        assert names == ["skip connect", "noise"]
        table = np.ma.filled(panel.images[0].get_array(), np.nan)
        np.testing.assert_equal(table, [[0.75, np.nan], [np.nan, 0.5]])


def test_curves_of_a_test_split_that_is_not_balanced(tmp_path):
    rows = [
        {
            **{"epoch": epoch, "train_loss": 2.0, "train_accuracy": 0.1, "accuracy_test": 0.9},
            **{"macro_accuracy_test": 0.4 + 0.1 * epoch},
        }
        for epoch in range(3)
    ]
    write(tmp_path, "history.csv", rows)
    assert accuracies(list(rows[0])) == [
        (COLOURS["train"], "train", "train_accuracy"),
        (COLOURS["test"], "test, mean over classes", "macro_accuracy_test"),
    ]
    image = pixels(drawn(tmp_path, plot_curves, "curves.png", again=False)[0])
    assert has(image, COLOURS["test"])
    assert not has(image, COLOURS["long_tailed"])


def test_curves_of_several_learners():
    columns = ["train_loss", "train_accuracy", "student_loss", "student_accuracy"]
    assert losses(columns) == [
        (COLOURS["train"], "supernet", "train_loss"),
        (OTHERS[0], "student", "student_loss"),
    ]
    shown = accuracies([*columns, "accuracy_balanced"])
    assert (OTHERS[0], "student", "student_accuracy") in shown
    assert losses(columns[:2]) == [(COLOURS["train"], "train", "train_loss")]


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_curves(tmp_path, epochs):
    rows = [
        {
            "epoch": epoch,
            "train_loss": 2.3 / (1 + epoch),
            "train_accuracy": 0.9 - 0.5 / (1 + epoch),
            "accuracy_balanced": 0.8 - 0.5 / (1 + epoch),
            "accuracy_long_tailed": 0.7 - 0.5 / (1 + epoch),
            "macro_accuracy_validation": 0.6 - 0.5 / (1 + epoch),
        }
        for epoch in range(epochs)
    ]
    write(tmp_path, "history.csv", rows)
    (png,) = drawn(tmp_path, plot_curves, "curves.png", again=epochs == 2)
    image = pixels(png)
    for colour in COLOURS.values():
        assert has(image, colour)
    assert (image == rgb(PAPER)).all(1).mean() > 0.5
