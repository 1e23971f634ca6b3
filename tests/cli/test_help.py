"""The help texts of the commands."""

import re
import subprocess
import sys

import pytest
from composed import settings
from conftest import REPOSITORY
from expected import IMBALANCES, RECIPES, RETRAIN_AXES, SCHEMES, SEARCH_AXES

from ltnas.config import PROXY_NAMES
from ltnas.space.genotype import published_names

USING = {
    "predict": ("run=r", "images=[a]"),
    "export": ("run=r",),
    "draw": ("genotype=darts_v1",),
    "hub": ("pull=a/b",),
}
"""Commands that use networks and genotypes, with words that each needs."""


@pytest.fixture(scope="module")
def helps(tmp_path_factory, python):
    """The help text of the commands."""
    folder = tmp_path_factory.mktemp("help")
    texts = {}
    for command in ("search", "retrain", "pipeline", "rank", "data", *USING):
        done = subprocess.run(
            [python, "-m", f"ltnas.{command}", "--help"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        texts[command] = done.stdout
    assert list(folder.iterdir()) == []
    return texts


@pytest.mark.parametrize("command", ["search", "retrain"])
def test_help_lists_choices_and_examples(helps, command):
    text = helps[command]
    examples = [line for line in text.splitlines() if f"python -m ltnas.{command} " in line]
    assert len(examples) >= 5
    groups = {"imbalance": IMBALANCES, "data": ["digits", "folder"], "trainer": ["cpu", "ddp"]}
    if command == "search":
        groups["scheme"] = SCHEMES
    else:
        groups["recipe"] = RECIPES
    own = SEARCH_AXES if command == "search" else RETRAIN_AXES
    groups |= {
        axis: own[axis]
        for axis in (
            ("objective", "schedule") if command == "search" else ("network", "mix", "augmentation")
        )
    }
    lines = text.replace(",\n    ", ", ").splitlines()
    for group, names in groups.items():
        (line,) = (line.strip() for line in lines if line.startswith(f"  {group}: "))
        assert set(names) <= set(line.removeprefix(f"{group}: ").split(", "))
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", ["search", "retrain"])
def test_keys_in_the_help_are_keys(helps, command):
    keys = helps[command].partition("\nKeys\n")[2].partition("and the keys of each group")[0]
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    config = settings(command, *genotype)
    found = [key.removesuffix(".*") for key in keys.split()]
    assert len(found) > 8
    assert [key for key in found if not hasattr(config, key)] == []


def test_help_of_the_ranking(helps):
    text = helps["rank"]
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80
    listed = text.partition("higher score is better\n")[2].partition("\n\n")[0]
    assert tuple(line.split()[0] for line in listed.splitlines()) == PROXY_NAMES
    keys = text.partition("\nKeys\n")[2].partition("and the keys of each group")[0].split()
    assert set(keys) < set(vars(settings("rank", "random=1")))
    assert "enhancement_cells" in keys
    assert len(keys) == 13


def test_help_of_the_preview(helps):
    text = helps["data"]
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80
    keys = text.partition("\nKeys\n")[2].partition("and the keys of both groups")[0].split()
    assert set(keys) == set(vars(settings("data_preview"))) - {"data", "imbalance"}


@pytest.mark.parametrize("command", USING)
def test_help_of_commands_that_use_networks(helps, command):
    text = helps[command]
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.count(f"python -m ltnas.{command} ") >= 3
    keys = text.partition("\nKeys\n")[2].splitlines()[0].split()
    assert set(keys) == set(vars(settings(command, *USING[command]))) - {"trainer"}


def test_help_of_the_pipeline(helps):
    text = helps["pipeline"]
    assert "${" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(re.search(r"scale: (.*)", text)[1].split(", ")) == {"paper", "small", "smoke"}
    named = set(re.search(r"experiment: (.*) \(sweeps", text)[1].split(", "))
    files = {path.stem for path in (REPOSITORY / "conf" / "experiment").glob("*.yaml")}
    assert named == {name for name in files if not name.startswith("demo")}


def test_help_lists_the_published_genotypes(helps):
    paragraph = helps["retrain"].partition("Published genotypes\n")[2].partition("\n\n")[0]
    assert " ".join(paragraph.split()) == ", ".join(published_names())
    lines = paragraph.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("  ") for line in lines)
    assert "darts_v2" in paragraph


@pytest.mark.parametrize("command", ["search", "retrain", "pipeline", "rank", "data", *USING])
def test_help_does_not_load_torch(command):
    code = (
        "import sys, atexit\n"
        "loaded = {'torch', 'lightning', 'torchvision', 'matplotlib', 'wandb', 'sklearn'}\n"
        "atexit.register(lambda: print('loaded', *sorted(loaded & set(sys.modules))))\n"
        "import runpy\n"
        "sys.argv[1:] = ['--help']\n"
        f"runpy.run_module('ltnas.{command}', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Examples" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded"
