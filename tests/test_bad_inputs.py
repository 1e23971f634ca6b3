"""More than two hundred wrong inputs: each gets one line that names it, and no traceback."""

import copy
import json
import random

import pytest
from conftest import TINY
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF
from ltnas.cli.messages import refuse_new_keys, user_message
from ltnas.config import Data, Imbalance, SearchConfig
from ltnas.data.long_tail import load_long_tail
from ltnas.errors import UserError
from ltnas.report import report
from ltnas.space.genotype import load_genotype
from ltnas.training.trainer import _check_whole

WRONG = ("abc", "-1", "-0.5", "nan", "1e400", "null", "[]", "{a: 1}", "'a b'", "0", "true")
PLACES = 9
"""Keys that each wrong value is tried on, for each command; drawn once and for all."""


def one_line(error):
    """What a user would read; fails if that would be a traceback."""
    message = user_message(error)
    assert message is not None, repr(error)
    assert "\n" not in message, message
    assert 10 < len(message) < 1000, message
    return message


# --- configurations -----------------------------------------------------------------------------


def keys(node, prefix=""):
    found = []
    for key in node:
        if isinstance(node[key], DictConfig):
            found += keys(node[key], f"{prefix}{key}.")
        else:
            found.append(prefix + key)
    return found


def whole(command):
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    return compose(command, [*TINY, *genotype])


@pytest.mark.parametrize("command", ["search", "retrain"])
def test_wrong_values_of_keys(command):
    """A value is taken, or refused in one line with its key or its value in it."""
    register_configs()
    draws, refused = random.Random(0), 0
    with initialize_config_dir(CONF, version_base="1.3"):
        plain = whole(command)
        every = keys(plain)
        assert len(every) > 40
        for value in WRONG:
            for key in draws.sample(every, PLACES):
                config = copy.deepcopy(plain)
                try:
                    # as a command line does it, without composing all files anew
                    OmegaConf.update(config, key, OmegaConf.create(f"v: {value}").v)
                    OmegaConf.to_object(config)
                except Exception as error:  # whatever it is, it must be told in a line
                    message = one_line(error)
                    assert key.rpartition(".")[2] in message or value in message, message
                    refused += 1
    assert refused > 40


UNKNOWN = {
    "a choice": "scheme=dart",
    "a group": "shceme=darts",
    "a key": "epohcs=3",
    "a key of a group": "data.rot=x",
    "a number for a choice": "imbalance=0.1",
    "nothing for a choice": "logger=",
    "no equals sign": "epochs",
    "a quote that is not closed": "runs='a",
    "a brace that is not closed": "runs={a",
    "a deletion": "~imbalance",
    "an addition": "+new=1",
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_words_that_mean_nothing(what):
    register_configs()

    def command(word):
        refuse_new_keys(SearchConfig, [word])
        OmegaConf.to_object(compose("search", [word]))

    with initialize_config_dir(CONF, version_base="1.3"), pytest.raises(Exception) as caught:
        command(UNKNOWN[what])
    one_line(caught.value)


# --- genotypes ----------------------------------------------------------------------------------

GOOD = {
    kind: {"edges": [["skip_connect", 2, 0], ["sep_conv_3x3", 2, 1]], "concat": [2]}
    for kind in ("normal", "reduce")
}


def changed(*path, to):
    data = copy.deepcopy(GOOD)
    *way, last = path
    where = data
    for step in way:
        where = where[step]
    where[last] = to
    return json.dumps(data)


EDGE = ("normal", "edges", 0)
GENOTYPES = [
    *("", "{", "[]", "null", "1", '"x"', "{}", "\x00", "normal:", '{"normal": {}}', "NaN"),
    *(changed("normal", to=value) for value in (None, [], {}, "x", 3)),
    *(changed("reduce", "edges", to=value) for value in (None, {}, "x", 3, [], [[]], [None])),
    *(changed(*EDGE, to=value) for value in ([], ["skip_connect"], "x", {"a": 1}, [1, 2, 3])),
    *(changed(*EDGE, 0, to=value) for value in ("conv", "", None, 3, ["skip_connect"])),
    *(changed(*EDGE, 1, to=value) for value in (0, 1, -1, 32, 10**9, 2.0, "2", None, True)),
    *(changed(*EDGE, 2, to=value) for value in (2, 3, -1, 0.0, "0", None, [])),
    *(changed("normal", "concat", to=value) for value in ([], [9], ["2"], "2", 2, [2.0], [None])),
]


@pytest.mark.parametrize("number", range(len(GENOTYPES)))
def test_genotypes_that_are_none(tmp_path, number):
    path = tmp_path / "genotype.json"
    path.write_text(GENOTYPES[number])
    with pytest.raises(UserError) as caught:
        load_genotype(str(path))
    assert str(path) in one_line(caught.value)


@pytest.mark.parametrize("where", ["", "no such", "/", "darts_v3", "ä/ö.json", "a\0b", "." * 99])
def test_places_where_no_genotype_is(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_genotype(where)
    one_line(caught.value)


# --- images -------------------------------------------------------------------------------------


def images(root, classes=("a", "b"), count=6):
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(root / name / f"{number}.png")


def truncated(root):
    path = root / "a" / "0.png"
    path.write_bytes(path.read_bytes()[:40])


FOLDERS = {
    "not there": lambda root: root.rename(root.parent / "away"),
    "empty": lambda root: [path.rename(root.parent / path.name) for path in root.iterdir()],
    "one class": lambda root: (root / "b").rename(root.parent / "b"),
    "a class without images": lambda root: (root / "c").mkdir(),
    "a text for an image": lambda root: (root / "a" / "0.png").write_text("text"),
    "an empty image": lambda root: (root / "a" / "0.png").write_bytes(b""),
    "half an image": truncated,
}


@pytest.mark.parametrize("what", FOLDERS)
def test_folders_of_images_that_cannot_be_used(tmp_path, what):
    root = tmp_path / "images"
    images(root)
    FOLDERS[what](root)
    data = Data(source="folder", root=str(root), image_size=8, cache=str(tmp_path / "cache"))
    with pytest.raises(UserError) as caught:
        load_long_tail(data, Imbalance("natural"))
    one_line(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"text\n" * 50])
def test_parquet_files_that_are_none(tmp_path, content):
    for name in ("train-0.parquet", "test-0.parquet"):
        (tmp_path / name).write_bytes(content)
    data = Data(source="cifar10_parquet", root=str(tmp_path), cache=str(tmp_path / "cache"))
    with pytest.raises(UserError) as caught:
        load_long_tail(data, Imbalance("balance"))
    assert str(tmp_path) in one_line(caught.value)


# --- run folders --------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", b"PK\3\4", b"PK\3\4" + b"\0" * 500, b"\x80\x04."])
def test_checkpoints_that_are_damaged(tmp_path, content):
    path = tmp_path / "checkpoint.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        _check_whole(path)
    assert str(path) in one_line(caught.value)


METRICS = {
    **{"kind": "retrain", "scheme": "darts", "imbalance": "exp0.1", "seed": 0, "seconds": 1.0},
    **{"parameters": 1, "multiply_accumulates": 1, "peak_memory_gib": 1.0},
    "data": {"subset_checksum": "f00d", "class_counts": [3, 2], "source": "cifar10"},
    "provenance": {"commit": "a", "command": "b"},
    "test": {
        name: {"accuracy": 0.5, "many": 0.5, "medium": 0.5, "few": None, "macro_accuracy": 0.5}
        | {"macro_f1": 0.5, "calibration_error": 0.1}
        for name in ("balanced", "long_tailed")
    },
}
BROKEN = [
    (key, value) for key in METRICS for value in (None, "x", [], {}, -1) if METRICS[key] != value
]


@pytest.mark.parametrize(("key", "value"), BROKEN)
def test_results_that_are_none_are_listed_and_others_are_shown(tmp_path, key, value):
    for name, metrics in (("good", METRICS), ("bad", METRICS | {key: value})):
        folder = tmp_path / "runs" / f"retrain-{name}-s0"
        folder.mkdir(parents=True)
        (folder / "fingerprint.json").write_text('{"version": 2, "command": "retrain"}')
        (folder / "metrics.json").write_text(json.dumps(metrics))
    text = report([tmp_path / "runs"], tmp_path / "out").read_text()
    lines = (tmp_path / "out" / "runs.csv").read_text().splitlines()
    assert len(lines) == 3
    assert "50.00" in text


def test_there_are_two_hundred():
    values = 2 * len(WRONG) * PLACES
    files = len(GENOTYPES) + 7 + len(FOLDERS) + 4 + 5 + len(BROKEN)
    assert values + len(UNKNOWN) + files >= 200
