"""The notebook in examples/, executed cell by cell in one namespace."""

import json

import matplotlib.pyplot as plt
import pytest
from conftest import REPOSITORY

NOTEBOOK = json.loads((REPOSITORY / "examples" / "digits.ipynb").read_text(encoding="utf-8"))


def code():
    """Source of each code cell."""
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the cells have defined, and the figures that they show."""
    names = {"shown": []}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        patch.setattr(plt, "show", lambda: names["shown"].append(plt.gcf()))
        for cell in code():
            exec(compile(cell, "examples/digits.ipynb", "exec"), names)
        yield names
    plt.close("all")


def test_it_searches_and_trains(names):
    genotypes = [(names[key] / "genotype.json").read_text() for key in ("searched", "trained")]
    first, second = (json.loads(text) for text in genotypes)
    assert first["scheme"] == second["scheme"] == "my_fairdarts"
    assert first["normal"] == second["normal"]
    assert names["metrics"]["imbalance"] == "exp0.1"
    assert len(names["results"]["per_class"]) == 10


def test_it_shows_cells_and_classes(names):
    cells, classes = names["shown"]
    assert len(cells.axes[0].images) == 1
    assert [len(axes.patches) for axes in classes.axes] == [10, 10]


def test_it_predicts_a_picture(names):
    assert names["probabilities"].shape == (10,)
    assert float(names["probabilities"].detach().sum()) == pytest.approx(1, abs=1e-5)


def test_it_can_be_opened_by_jupyter():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    for cell in NOTEBOOK["cells"]:
        wanted = {"cell_type", "id", "metadata", "source"}
        wanted |= {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == wanted
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
