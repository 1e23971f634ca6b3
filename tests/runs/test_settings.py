"""Settings of a run: what is written at its start, and what a resumed run says of them."""

import json
from dataclasses import replace

import pytest
import torch

from ltnas import config as c
from ltnas.runs.folder import RunFolder
from ltnas.runs.settings import write_settings

CONFIG = c.RetrainConfig(
    genotype="darts_v2",
    epochs=5,
    trainer=c.Trainer("cpu", threads=1),
    objective=c.Focal(gamma=2.0),
    weights=c.WeightOptimiser(0.05, 1e-5, decay="steps"),
    data=c.Data("folder", "photos", mean=[0.1, 0.2, 1 / 3], std=[1, 1, 1]),
    imbalance=c.Imbalance("natural"),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    write_settings(folder, CONFIG)
    return folder


def edit(folder, old, new):
    text = (folder.path / "config.yaml").read_text()
    assert old in text
    (folder.path / "config.yaml").write_text(text.replace(old, new, 1))
    return text


def test_a_resumed_run_says_nothing_of_settings_that_fit(folder, capsys, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    write_settings(folder, CONFIG)
    monkeypatch.chdir(tmp_path.parent)
    moved = c.RetrainConfig(**{**vars(CONFIG), "data": c.Data("folder", "pictures")})
    moved.data.mean, moved.data.std = CONFIG.data.mean, CONFIG.data.std
    write_settings(folder, moved)
    assert capsys.readouterr().out == ""
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


@pytest.mark.parametrize(
    "changed",
    [
        {"data": c.Data("folder", "photos", image_size=96)},  # `stem=auto` stands for `imagenet`
        {"objective": c.ClassBalanced()},
        {"crt": c.ClassifierStage(epochs=3)},
        {"pretrain": "barlow_twins", "pretrain_epochs": 3},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_settings_that_older_versions_read_in_another_way_are_not_edited(changed, tmp_path, capsys):
    folder = RunFolder(tmp_path)
    config = replace(CONFIG, **changed)
    write_settings(folder, config)
    write_settings(folder, config)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("old", "new", "there", "kept"),
    [
        ("\nepochs: 5", "\nepochs: 9", "epochs is 9", "epochs=5"),
        (
            "nesterov: true\n    warmup_epochs: 0",
            "nesterov: true\n    warmup_epochs: 2",
            "crt.weights.warmup_epochs is 2",
            "crt.weights.warmup_epochs=0",
        ),
        ("gamma: 2.0", "gamma: 3.0", "objective.gamma is 3.0", "objective.gamma=2.0"),
        ("objective: focal", "objective: ldam", "objective is ldam", "objective=focal"),
        ("seed: 0\nepochs: 5", "epochs: 9\nseed: 3", "seed is 3, epochs is 9", "seed=0 epochs=5"),
    ],
)
def test_an_edited_config_is_told_and_put_right(folder, old, new, there, kept, capsys):
    whole = edit(folder, old, new)
    write_settings(folder, CONFIG)
    assert capsys.readouterr().out == (
        f"note: {folder.path}/config.yaml was edited ({there} there): the run goes on with {kept}, "
        "and the file is written anew\n"
    )
    assert (folder.path / "config.yaml").read_text() == whole
    write_settings(folder, CONFIG)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["epochs: 9", "epochs: [", "", "axes: 3"])
def test_a_config_of_another_form_is_left_alone(folder, text, capsys):
    (folder.path / "config.yaml").write_text(text)
    write_settings(folder, CONFIG)
    assert capsys.readouterr().out == ""
    assert (folder.path / "config.yaml").read_text() == text


def test_another_number_of_threads_is_told(folder, capsys):
    assert folder.read_json("provenance.json")["threads"] == 1
    device = folder.read_json("provenance.json")["device"].removesuffix(", 1 threads")
    write_settings(folder, c.RetrainConfig(**{**vars(CONFIG), "trainer": c.Trainer("cpu")}))
    assert torch.get_num_threads() == 1
    assert capsys.readouterr().out == ""
    more = c.RetrainConfig(**{**vars(CONFIG), "trainer": c.Trainer("cpu", threads=2)})
    write_settings(folder, more)
    assert capsys.readouterr().out == (
        f"note: {folder.path} began on {device}, 1 threads, and continues on {device}, 2 threads: "
        "its results will not be bit-identical to those of an uninterrupted run\n"
    )


def test_another_machine_is_told(folder, capsys):
    data = folder.read_json("provenance.json")
    (folder.path / "provenance.json").write_text(json.dumps(data | {"device": "NVIDIA H100"}))
    write_settings(folder, CONFIG)
    assert "began on NVIDIA H100, and continues on " in capsys.readouterr().out


def test_other_ranks_say_nothing(folder, capsys):
    edit(folder, "\nepochs: 5", "\nepochs: 9")
    write_settings(RunFolder(folder.path, writes=False), CONFIG)
    assert capsys.readouterr().out == ""
