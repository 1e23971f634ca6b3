"""Genotypes as data: JSON, names, and the messages about broken ones."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltnas.config import KNOWN_OPERATIONS
from ltnas.errors import UserError
from ltnas.space.genotype import (
    CellGenotype,
    Edge,
    Genotype,
    cell_genotype,
    load_genotype,
    parse_genotype,
    published_names,
)

EDGE = ["sep_conv_3x3", 2, 0]
CELL = {"edges": [EDGE], "concat": [2]}


def genotype(**normal):
    """Return decoded JSON of a genotype whose normal cell has these keys."""
    return {"normal": {**CELL, **normal}, "reduce": CELL}


def error(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- the data -----------------------------------------------------------------------------------


@st.composite
def edges(draw):
    node = draw(st.integers(2, 31))
    return Edge(draw(st.sampled_from(KNOWN_OPERATIONS)), node, draw(st.integers(0, node - 1)))


@st.composite
def cells(draw):
    chosen = draw(st.lists(edges(), min_size=1, max_size=12))
    nodes = draw(st.permutations(sorted({edge.node for edge in chosen})))
    return CellGenotype(tuple(chosen), tuple(nodes[: draw(st.integers(1, len(nodes)))]))


@settings(deadline=None)  # a busy machine may be slow
@given(cells(), cells())
def test_json_keeps_everything(normal, reduce):
    written = json.dumps(Genotype({"normal": normal, "reduce": reduce}).to_json())
    assert parse_genotype(json.loads(written), "here") == Genotype(
        {"normal": normal, "reduce": reduce}
    )


def test_the_form_of_the_json():
    normal = CellGenotype((Edge("skip_connect", 3, 1), Edge("none", 2, 0)), (3, 2))
    reduce = CellGenotype((Edge("max_pool_3x3", 2, 1),), (2,))
    assert Genotype({"normal": normal, "reduce": reduce}).to_json() == {
        "normal": {"edges": [["skip_connect", 3, 1], ["none", 2, 0]], "concat": [3, 2]},
        "reduce": {"edges": [["max_pool_3x3", 2, 1]], "concat": [2]},
    }


ONE_EDGE = CellGenotype((Edge("skip_connect", 2, 0),), (2,))
BROAD = Genotype({"normal": ONE_EDGE, "enhancement": ONE_EDGE}, macro="broad")


def test_json_names_another_macro_network():
    written = BROAD.to_json()
    assert list(written) == ["macro", "normal", "enhancement"]
    assert written["macro"] == "broad"
    assert parse_genotype(json.loads(json.dumps(written)), "here") == BROAD


def test_equal_genotypes_have_equal_hashes():
    both = [Genotype({"normal": ONE_EDGE, "reduce": ONE_EDGE}) for _ in range(2)]
    assert len({*both, BROAD}) == 2


def test_without_a_concat_every_fed_node_is_output():
    edges = [["none", 4, 0], ["none", 2, 0], ["none", 4, 2]]
    data = {"normal": {"edges": edges}, "reduce": CELL}
    assert parse_genotype(data, "here").cell("normal").concat == (2, 4)


def test_a_cell_of_edges_is_in_the_order_of_nodes_and_no_more():
    cell = cell_genotype([Edge("none", 5, 2), Edge("none", 2, 1), Edge("skip_connect", 2, 0)])
    assert cell.edges == (Edge("none", 2, 1), Edge("skip_connect", 2, 0), Edge("none", 5, 2))
    assert cell.concat == (2, 5)


def test_cells_by_kind_and_operations_of_both():
    loaded = load_genotype("darts_v2")[0]
    assert loaded.cells["normal"] is loaded.cell("normal")
    assert loaded.cells["reduce"] is loaded.cell("reduce")
    assert loaded.count("skip_connect") == 2 + 3
    assert loaded.count("max_pool_3x3", "avg_pool_3x3") == 5
    assert loaded.count(*KNOWN_OPERATIONS) == 16


# --- broken data --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [None, 3, [], "normal", {}, {"normal": CELL}, {"reduce": CELL}])
def test_a_genotype_has_two_cells(data):
    assert error(parse_genotype, data, "here.json") == (
        "here.json is no genotype: it needs the keys normal and reduce"
    )


@pytest.mark.parametrize("cell", [None, [EDGE], {}, {"edges": None}, {"edges": {"a": 1}}])
@pytest.mark.parametrize("kind", ["normal", "reduce"])
def test_a_cell_has_edges(kind, cell):
    message = error(parse_genotype, {**genotype(), kind: cell}, "here")
    assert message == f"here, {kind} cell: it needs edges, a list of [operation, node, source]"


@pytest.mark.parametrize(
    "item", [5, None, "none", {}, [], ["none"], ["none", 2], ["none", 2, 0, 1]], ids=repr
)
def test_an_edge_has_three_parts(item):
    message = error(parse_genotype, genotype(edges=[EDGE, item]), "here")
    assert message == (
        f"here, normal cell: {item!r} is no edge; an edge is [operation, node, source]"
    )


@pytest.mark.parametrize("operation", ["conv_7x1_1x7", "", None, 3, ["none"], {"none": 1}])
def test_an_operation_is_known(operation):
    message = error(parse_genotype, genotype(edges=[[operation, 2, 0]]), "here")
    assert message.startswith(f"here, normal cell: operation {operation!r} is not known; choose")
    assert all(name in message for name in KNOWN_OPERATIONS)


@pytest.mark.parametrize(
    ("node", "source"),
    [
        *((2, 2), (2, 3), (1, 0), (0, 0), (2, -1), (32, 0)),
        *((2.0, 0), (2, 0.0), ("2", 0), (2, None), (2, True), ([2], 0)),
    ],
)
def test_an_edge_leads_on(node, source):
    message = error(parse_genotype, genotype(edges=[EDGE, ["none", node, source]]), "here")
    assert message == (
        f"here, normal cell: the edge {['none', node, source]} must lead from a state to a later "
        "one, which is at least 2"
    )


@pytest.mark.parametrize(
    "cell", [{"edges": []}, {"edges": [], "concat": [2]}, {"edges": [EDGE], "concat": []}]
)
@pytest.mark.parametrize("kind", ["normal", "reduce"])
def test_a_cell_is_not_empty(kind, cell):
    message = error(parse_genotype, {**genotype(), kind: cell}, "here")
    assert message == f"here, {kind} cell is empty: at least one edge must lead to its output"


@pytest.mark.parametrize("node", [3, 0, "2", None, 2.0, [2], True])
def test_an_output_node_has_an_input(node):
    message = error(parse_genotype, genotype(concat=[2, node]), "here")
    assert message == (
        f"here, normal cell outputs node {node}, which has no input: take it from concat"
    )


# --- names and files ----------------------------------------------------------------------------


def test_all_published_genotypes_load():
    names = published_names()
    assert len(names) == 26
    assert names == sorted(names)
    for name in names:
        genotype, data = load_genotype(name)
        assert genotype == parse_genotype(data, name)
        assert {"name", "source"} <= set(data)


@pytest.mark.parametrize("name", ["bnasv2_clr_v1", "bnasv2_clr_v2"])
def test_published_genotypes_of_broad_networks(name):
    loaded = load_genotype(name)[0]
    assert loaded.macro == "broad"
    assert list(loaded.cells) == ["normal", "enhancement"]
    assert len(loaded.cell("enhancement").edges) == 8


def test_a_published_name_may_be_written_as_its_authors_do():
    assert load_genotype("PC_DARTS_cifar") == load_genotype("pc_darts_cifar")


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "genotype.json").write_text(json.dumps({**genotype(), "seed": 7}))
    return folder


def test_a_run_folder_and_its_file_hold_a_genotype(run_folder):
    for where in (run_folder, run_folder / "genotype.json"):
        loaded, data = load_genotype(str(where))
        assert loaded == parse_genotype(genotype(), "here")
        assert data["seed"] == 7


def test_a_path_may_begin_at_home(run_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(run_folder.parent))
    assert load_genotype("~/run")[1]["seed"] == 7


def no_genotype(where, path, reason):
    return (
        f"genotype={where} has no genotype ({path}: {reason}): give a run folder of ltnas.search, "
        "a genotype.json, or one of bnasv2_clr_v1, "
    )


@pytest.mark.parametrize(
    "where", ["missing", "darts_v3", "missing/genotype.json", "~nobody-at-all/x"]
)
def test_a_path_that_does_not_exist(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = error(load_genotype, where)
    assert message.startswith(no_genotype(where, where, "there is no such file"))
    assert message.endswith("snas_moderate")


def test_a_name_that_no_file_can_have():
    where = "a" * 5000
    assert error(load_genotype, where).startswith(
        no_genotype(where, where, "there is no such file")
    )


@pytest.mark.parametrize("file", ["", "genotype.json"])
def test_a_search_that_has_not_ended(tmp_path, file):
    where = tmp_path / file
    message = error(load_genotype, str(where))
    expected = no_genotype(where, tmp_path / "genotype.json", "its search has not ended")
    assert message.startswith(expected)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"\x80\x02\xff\xfe")
    assert error(load_genotype, str(path)) == (f"genotype={path} is no text: give a genotype.json")


@pytest.mark.parametrize("text", ["", "{", "normal: []", '{"normal": '])
def test_a_file_that_is_no_json(tmp_path, text):
    path = tmp_path / "genotype.json"
    path.write_text(text)
    message = error(load_genotype, str(path))
    assert message.startswith(f"genotype={path} is no JSON (")
    assert message.endswith("the genotype as the code of DARTS prints it")


@pytest.mark.parametrize("content", [[], 4, None, {"normal": CELL}])
def test_a_file_that_is_json_of_another_kind(tmp_path, content):
    path = tmp_path / "genotype.json"
    path.write_text(json.dumps(content))
    message = error(load_genotype, str(path))
    assert message.startswith(f"genotype={path} is no genotype")


def test_a_broken_file_is_named(run_folder):
    path: Path = run_folder / "genotype.json"
    path.write_text(json.dumps(genotype(edges=[["conv", 2, 0]])))
    message = error(load_genotype, str(run_folder))
    assert message.startswith(f"genotype={run_folder}, normal cell: operation 'conv' is not known")


@pytest.mark.parametrize("macro", ["darts", "", None, 3, ["broad"]])
def test_an_unknown_macro_network(macro):
    assert error(parse_genotype, {**genotype(), "macro": macro}, "here") == (
        f"here is made for the macro-network {macro!r}, which is not known: its macro must be one "
        "of cells, broad"
    )


def test_a_broad_genotype_needs_its_own_cells():
    assert error(parse_genotype, {**genotype(), "macro": "broad"}, "here") == (
        "here is no genotype: it needs the keys normal and enhancement"
    )


def test_a_genotype_may_name_stacked_cells():
    assert parse_genotype({**genotype(), "macro": "cells"}, "here").macro == "cells"
