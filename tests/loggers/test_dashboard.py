"""Records that W&B is sent, read back from its offline file."""

import json
import struct
import sys
from types import SimpleNamespace

import pytest
import wandb
from composed import composed
from conftest import REPOSITORY
from omegaconf import OmegaConf
from wandb.proto import wandb_internal_pb2

from ltnas.errors import UserError
from ltnas.loggers import choose as loggers
from ltnas.loggers.charts import chart_name
from ltnas.loggers.choose import open_logger
from ltnas.loggers.dashboard import artifact_name, link, publish
from ltnas.retrain import retrain
from ltnas.runs.folder import RunFolder
from ltnas.search import search
from ltnas.workspace import PICTURES, PREFIXES, SECTIONS, TABLES, workspace

BLOCK, HEAD = 32768, 7
"""Sizes in the LevelDB log: a piece begins with checksum (4 bytes), length (2) and kind (1)."""
WHOLE, FIRST, LAST = 1, 2, 4


def pieces(data):
    """Yield the records of a log as bytes."""
    at, parts = HEAD, []  # the file's own head
    while at + HEAD <= len(data):
        if BLOCK - at % BLOCK < HEAD:  # no room for another piece's head
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<4xHB", data, at)
        parts = [*(parts if kind not in (WHOLE, FIRST) else []), data[at + HEAD :][:length]]
        if kind in (WHOLE, LAST):
            yield b"".join(parts)
        at += HEAD + length


def records(folder):
    """Return all records in the offline file of a run folder."""
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    data = file.read_bytes()
    assert data[:4] == b":W&B"
    return [wandb_internal_pb2.Record.FromString(piece) for piece in pieces(data)]


def of_kind(sent_records, kind):
    return [
        getattr(record, kind) for record in sent_records if record.WhichOneof("record_type") == kind
    ]


def rows(sent_records):
    """Return the logged rows as dictionaries; pictures and tables are dictionaries too."""
    logged = []
    for entry in of_kind(sent_records, "history"):
        row = {}
        for item in entry.item:
            where, *keys = row, *(item.nested_key or [item.key])
            for key in keys[:-1]:
                where = where.setdefault(key, {})
            where[keys[-1]] = json.loads(item.value_json)
        logged.append(row)
    return logged


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """Folders and records of a search and of a training of its genotype, in one sweep."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("LTNAS_SWEEP", "20250101-120000")
        words = ("logger=wandb", f"runs={root}", "epochs=2")
        searched = search(composed("search", "scheme=darts", "space.nodes=2", *words))
        settings = ("auxiliary=0", "cutout=0", f"genotype={searched}")
        trained = retrain(composed("retrain", *settings, *words))
    wandb.teardown()  # its files are complete when its service has ended
    return {
        folder.name.partition("-")[0]: (folder, records(folder)) for folder in (searched, trained)
    }


@pytest.mark.parametrize("kind", ["search", "retrain"])
def test_a_run_has_its_sweep_its_kind_and_a_good_end(sent, kind):
    folder, sent_records = sent[kind]
    run = of_kind(sent_records, "run")[0]
    assert (run.run_group, run.job_type, run.run_id) == ("20250101-120000", kind, folder.name)
    config = {update.key: json.loads(update.value_json) for update in run.config.update}
    assert config["imbalance"] == {"kind": "exp", "factor": 0.1, "name": "exp0.1"} or (
        config["imbalance"]["factor"] == 0.1
    )
    assert [end.exit_code for end in of_kind(sent_records, "exit")] == [0]


@pytest.mark.parametrize("kind", ["search", "retrain"])
def test_numbers_come_by_epoch_in_sections(sent, kind):
    _, sent_records = sent[kind]
    numbers = [row for row in rows(sent_records) if "train/loss" in row]
    assert [row["epoch"] for row in numbers] == [0, 1]
    axes = {metric.glob_name: metric.step_metric for metric in of_kind(sent_records, "metric")}
    for section in {*loggers.SECTIONS.values(), "test_balanced", "test_long_tailed"}:
        assert axes[f"{section}/*"] == "epoch"
    # The last definition for all others: of two matching patterns W&B may use either.
    assert axes["*"] == "epoch"
    names = {key for row in numbers for key in row} - {"epoch", "_step", "_runtime", "_timestamp"}
    outside = {name for name in names if "/" not in name}
    assert outside == set()


def test_each_epoch_has_its_cells_and_weights_as_pictures(sent):
    folder, sent_records = sent["search"]
    for name in ("architecture/cells", "architecture/weights"):
        pictures = [row for row in rows(sent_records) if name in row]
        assert [row["epoch"] for row in pictures] == [0, 1]
        for row in pictures:
            assert row[name]["_type"] == "image-file"
            assert row[name]["width"] > 400
            (file,) = folder.glob(f"wandb/offline-run-*/files/{row[name]['path']}")
            assert file.stat().st_size > 2000


@pytest.mark.parametrize("test_set", ["balanced", "long_tailed"])
def test_a_training_ends_with_tables(sent, test_set):
    folder, sent_records = sent["retrain"]
    report = json.loads((folder / "metrics.json").read_text())["test"][test_set]
    tables = {}
    for row in rows(sent_records):
        for name, value in row.items():
            if isinstance(value, dict) and value.get("_type") == "table-file":
                (file,) = folder.glob(f"wandb/offline-run-*/files/{value['path']}")
                tables[name] = json.loads(file.read_text())
    classes = tables[f"results/per_class_{test_set}"]
    assert classes["columns"] == ["class", "training images", "accuracy"]
    assert {row[0]: row[2] for row in classes["data"]} == report["per_class"]
    confusion = tables[f"results/confusion_{test_set}"]["data"]
    assert len(confusion) == 100
    assert sum(row[2] for row in confusion) == report["images"]


def test_artifacts_link_a_training_to_its_search(sent):
    (searched, of_search), (trained, of_training) = sent["search"], sent["retrain"]
    (genotype,) = of_kind(of_search, "artifact")
    assert (genotype.type, genotype.name) == ("genotype", f"genotype-{searched.name}")
    assert {entry.path for entry in genotype.manifest.contents} >= {"genotype.json", "cells.svg"}
    (weights,) = (one for one in of_kind(of_training, "artifact") if one.type != "run_table")
    assert (weights.type, weights.name) == ("weights", f"weights-{trained.name}")
    updates = [update for record in of_kind(of_training, "config") for update in record.update]
    linked = {update.key: json.loads(update.value_json) for update in updates}
    assert linked["genotype_artifact"] == genotype.name


class Online:
    """Stand-in for a W&B run with a network that records its calls."""

    offline = False

    def __init__(self, fails=False):
        self.fails, self.used, self.config = fails, [], self
        self.updates = {}

    def update(self, values, allow_val_change=False):
        assert allow_val_change or not set(values) & set(self.updates)  # as W&B's own
        self.updates |= values

    def use_artifact(self, name):
        if self.fails:
            raise wandb.errors.CommError("no such artifact")
        self.used.append(name)


def test_with_a_network_the_artifact_is_used(tmp_path):
    folder = tmp_path / "search-darts-exp0.1-s0-x"
    folder.mkdir()
    run = Online()
    link(run, str(folder))
    assert run.used == ["genotype-search-darts-exp0.1-s0-x:latest"]
    run = Online(fails=True)
    link(run, str(folder))
    assert "not found: no such artifact" in run.updates["genotype_artifact"]
    run = Online()
    link(run, "darts_v2")  # a published genotype has no run
    assert run.updates == {}


def test_names_of_artifacts_and_of_charts(tmp_path):
    assert artifact_name("genotype", tmp_path / "ä b+c.1") == "genotype---b-c.1"
    assert chart_name("accuracy_balanced") == "test_balanced/accuracy"
    assert chart_name("macro_f1_validation") == "validation/macro_f1"
    assert chart_name("student_loss") == "train/student_loss"
    assert chart_name("learner_2_accuracy") == "train/learner_2_accuracy"
    assert chart_name("architecture_loss_audience") == "architecture/loss_audience"
    assert chart_name("few_long_tailed") == "test_long_tailed/few"
    assert chart_name("macro_accuracy_test") == "test/macro_accuracy"
    assert chart_name("train_loss") == "train/loss"
    assert chart_name("entropy_normal") == "architecture/entropy_normal"
    assert chart_name("epoch") == "epoch"


def test_nothing_is_sent_without_a_run(tmp_path):
    publish(None, RunFolder(tmp_path))  # reads no file


# --- dashboards and sweeps of W&B ---------------------------------------------------------------


def test_a_dashboard_shows_what_runs_send(sent):
    made = workspace("entity", "project")
    assert (made.entity, made.project) == ("entity", "project")
    sent_names = {key for _, records in sent.values() for row in rows(records) for key in row}
    sent_names.add("architecture/largest_eigenvalue")  # every fifth epoch
    sent_names.add("architecture/entropy_enhancement")  # of broad networks
    names_shown = [
        f"{PREFIXES[name]}/{key}"
        for name, charts in SECTIONS.items()
        for ks in charts
        for key in ks
    ]
    # These runs have a balanced test split, and so none of the names of another.
    tables = {name for name in TABLES if not name.endswith("_test")}
    assert set(names_shown) | set(PICTURES) | tables <= sent_names
    assert len(tables) == 2
    first = made.sections[0].panels[0]
    assert first.y == ["test_balanced/accuracy", "test/macro_accuracy"]
    names = [section.name for section in made.sections]
    assert set(SECTIONS) < set(names)
    charts = next(section for section in made.sections if section.name == "Architecture").panels
    assert [panel.y for panel in charts][1] == [
        "architecture/entropy_normal",
        "architecture/entropy_reduce",
        "architecture/entropy_enhancement",
    ]


def test_a_dashboard_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(UserError, match=r"pip install 'ltnas\[dashboard\]'"):
        workspace("entity", "project")


def test_a_sweep_of_wandb_has_valid_overrides():
    sweep = OmegaConf.to_container(OmegaConf.load(REPOSITORY / "conf" / "wandb_sweep.yaml"))
    assert sweep["command"][2:5] == ["-m", "ltnas.retrain", "logger=wandb"]
    assert sweep["method"] == "grid"  # a search for the best would fit test images
    for edge in (0, -1):
        values = {
            key: node.get("value", (node.get("values") or [node.get("min"), node.get("max")])[edge])
            for key, node in sweep["parameters"].items()
        }
        config = composed("retrain", *(f"{key}={value}" for key, value in values.items()))
        assert config.seed == values["seed"]
        assert config.weights.learning_rate == values["weights.learning_rate"]


def test_a_run_of_a_wandb_sweep_keeps_the_agents_id(tmp_path, monkeypatch):
    given = {}

    def stand_in(**options):
        given.update(options)
        return SimpleNamespace(experiment=SimpleNamespace(define_metric=lambda *_, **__: None))

    monkeypatch.setattr("lightning.pytorch.loggers.WandbLogger", stand_in)
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    monkeypatch.setattr(wandb, "finish", lambda **_: None)
    folder = tmp_path / "search-x"
    folder.mkdir()
    with open_logger(composed("search", "logger=wandb"), RunFolder(folder), "search"):
        assert given["id"] is None
