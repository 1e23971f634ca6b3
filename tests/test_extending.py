"""Examples of the documents for contributors, applied to a copy of the software and run."""

import ast
import csv
import io
import math
import os
import re
import shutil

import forked
import pytest
import torch
import yaml
from conftest import REPOSITORY, TINY
from PIL import Image
from safetensors.torch import load_file

from ltnas.config import AXES, Data
from ltnas.data.sources import load_source

pytestmark = pytest.mark.usefixtures("unrendered")

PAGE = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = ("A relaxation", "A loss", "A data source", "A regulariser")
HEADER = re.compile(r"# (\S+), (new file|in ([A-Z_]+)|before: (.+))")
START = ("scheme=darts", "relaxation.initial_deviation=1.0", *TINY)
"""A search whose mixing weights differ from the start."""


def blocks(heading):
    """File, place and lines of each code block below a heading."""
    (section,) = re.findall(
        rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)", f"{PAGE}\n## {CONTRIBUTING}", re.M | re.S
    )
    for block in re.findall(r"```\w+\n(.*?)```", section, re.S):
        header, lines = block.split("\n", 1)
        match = HEADER.fullmatch(header)
        assert match, f"{header} does not say where its lines belong"
        yield match, lines


def apply(folder, heading):
    """Apply the blocks below a heading to a copy of the software; return the files touched."""
    files = []
    for match, lines in blocks(heading):
        name, place, table, before = match.groups()
        files.append(name)
        file = folder / name
        if place == "new file":
            assert not file.exists()
            file.write_text(lines)
            continue
        text = file.read_text()
        at = end_of_table(text, table) if table else start_of_line(text, before)
        comma = "," if table and not text[:at].rstrip().endswith(",") else ""
        gap = "\n\n" if lines.startswith(("class ", "def ", "@")) else ""
        file.write_text(text[:at] + comma + lines + gap + text[at:])
    return files


def start_of_line(text, start):
    """Position of the only line that starts so, apart from its indentation."""
    (match,) = re.finditer(rf"^ *{re.escape(start)}\b.*$", text, re.M)
    return match.start()


def end_of_table(text, name):
    """Position of the closing brace of a table."""
    (value,) = (
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.AnnAssign) and node.target.id == name
    )
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: value.end_lineno - 1])) + value.end_col_offset - 1


@pytest.fixture(scope="module")
def touched(copy):
    """Files that each example touches in the copy of the software."""
    return {name: apply(copy, name) for name in EXAMPLES}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("software")
    for name in ("ltnas", "conf", "hydra_plugins"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def search(copy, touched):
    """Run a search of the copy, with these words beside the smallest sizes."""
    server = forked.Server(cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)})

    def run(*words):
        done = server.run("ltnas.search", (*START, *words), cwd=copy)
        assert done.returncode == 0, done.stderr
        return copy / done.stdout.splitlines()[-1]

    yield run
    server.close()


@pytest.fixture(scope="module")
def softmax(search):
    """Run folder of a search with the values of DARTS."""
    return search()


def settings(run):
    return yaml.safe_load((run / "config.yaml").read_text())


def history(run):
    return (run / "history.csv").read_text()


def first_loss(run):
    return float(next(csv.DictReader(io.StringIO(history(run))))["train_loss"])


def test_an_added_relaxation(search, softmax, touched):
    assert sorted(set(touched["A relaxation"])) == [
        "ltnas/axes/build.py",
        "ltnas/axes/tempered_softmax.py",
        "ltnas/config/relaxation.py",
    ]
    run = search("relaxation=tempered_softmax", "relaxation.first=4")
    assert settings(run)["relaxation"]["first"] == 4
    assert history(run) != history(softmax)
    with (run / "architecture.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["epoch"] == "1"]
    parameters = load_file(run / "architecture.safetensors")
    for kind, values in parameters.items():
        written = torch.tensor([float(row["weight"]) for row in rows if row["cell"] == kind])
        # One of two epochs is over: the temperature is the geometric mean of 4 and 1/2.
        expected = torch.softmax(values / 2**0.5, dim=-1).flatten()
        torch.testing.assert_close(written, expected, atol=2e-6, rtol=1e-4)


def test_an_added_loss(search, softmax, touched):
    assert sorted(set(touched["A loss"])) == [
        "ltnas/config/objective.py",
        "ltnas/losses/classification.py",
    ]
    run = search("objective=poly1", "objective.epsilon=2")
    assert settings(run)["objective"]["epsilon"] == 2
    losses, plain = (first_loss(folder) for folder in (run, softmax))
    # The second term lies between 0 and epsilon, and is large for an untrained network.
    assert 1 < losses - plain < 2


def test_an_added_regulariser(search, softmax, touched):
    assert sorted(set(touched["A regulariser"])) == [
        "ltnas/axes/regularisers.py",
        "ltnas/config/regulariser.py",
    ]
    assert sum(lines.count("\n") for _, lines in blocks("A regulariser")) <= 40
    run = search("regulariser=entropy", "regulariser.weight=1000")
    assert settings(run)["regulariser"]["weight"] == 1000
    with_term, plain = (entropy_of_last_epoch(folder) for folder in (run, softmax))
    assert with_term < plain


def entropy_of_last_epoch(run):
    with (run / "architecture.csv").open() as file:
        rows = list(csv.DictReader(file))
    weights = [float(row["weight"]) for row in rows if row["epoch"] == rows[-1]["epoch"]]
    return -sum(weight * math.log(weight) for weight in weights)


def test_contributing_names_files_and_axes_that_exist():
    names = set(re.findall(r"`((?:ltnas|tests|docs|conf)/[\w/.]*)`", CONTRIBUTING))
    assert len(names) > 10
    missing = {name for name in names if not (REPOSITORY / name).exists()}
    assert missing == {"conf/scheme/NAME.yaml"}  # the one to be written
    first_cells = re.findall(r"^\| ([^|]*) \|", CONTRIBUTING, re.M)
    axes = {name for cell in first_cells for name in re.findall(r"[a-z_]+", cell)}
    assert {"relaxation", "objective", "selection"} < axes
    assert axes - set(AXES) == {"axis", "space"}  # the heading, and a group of settings


def test_an_added_data_source(search, softmax, touched, tmp_path):
    assert sorted(set(touched["A data source"])) == [
        "conf/data/sheets.yaml",
        "ltnas/config/sources.py",
        "ltnas/data/sources/__init__.py",
        "ltnas/data/sources/sheets.py",
    ]
    digits = load_source(Data("digits", image_size=8))
    for split, part in {"train": digits.train, "test": digits.test}.items():
        (tmp_path / "sheets" / split).mkdir(parents=True)
        for label, name in enumerate(digits.classes):
            # Images [N, 3, 8, 8] one below the other, [8 N, 8, 3].
            sheet = part.images[part.labels == label].permute(0, 2, 3, 1).flatten(0, 1)
            Image.fromarray(sheet.numpy()).save(tmp_path / "sheets" / split / f"{name}.png")
    augmentation = ("data.crop_padding=1", "data.flip=false")
    run = search("data=sheets", f"data.root={tmp_path / 'sheets'}", *augmentation)
    assert settings(run)["data"]["source"] == "sheets"
    assert history(run) == history(softmax)
