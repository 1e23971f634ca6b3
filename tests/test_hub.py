"""`python -m ltnas.hub`: what it prints; the hub itself is in test_hugging_face."""

import shutil

import pytest
from composed import refusal, settings
from trained import saved_network

import ltnas.hub
from ltnas.errors import UserError
from ltnas.hub import hub


def test_push(tmp_path, monkeypatch, capsys):
    called = []

    def push(folder, repository, private):
        called.append((folder, repository, private))
        return "https://huggingface.co/alice/oaks"

    monkeypatch.setattr(ltnas.hub, "push", push)
    run = saved_network(tmp_path / "run")
    words = (f"push={run}", "repo=alice/oaks")
    assert hub(settings("hub", *words)) == "https://huggingface.co/alice/oaks"
    hub(settings("hub", *words, "private=false"))
    assert called == [(run, "alice/oaks", True), (run, "alice/oaks", False)]
    assert capsys.readouterr().out.startswith("a network of 3 classes for images of 8 pixels\n")


def test_only_a_whole_network_is_pushed(tmp_path, monkeypatch):
    monkeypatch.setattr(ltnas.hub, "push", lambda *arguments: pytest.fail("pushed"))
    with pytest.raises(UserError, match="has no trained network"):
        hub(settings("hub", f"push={tmp_path}", "repo=alice/oaks"))
    run = saved_network(tmp_path / "run")
    with pytest.raises(UserError, match=r"network\.safetensors is no folder: give a run folder"):
        hub(settings("hub", f"push={run}/network.safetensors", "repo=alice/oaks"))


def test_pull(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved_network(tmp_path / "there")
    monkeypatch.setattr(
        ltnas.hub, "pull", lambda repository, folder: shutil.copytree("there", folder)
    )
    assert str(hub(settings("hub", "pull=alice/oaks"))) == "oaks"
    assert str(hub(settings("hub", "pull=alice/oaks", "out=x/y"))) == "x/y"
    assert (tmp_path / "x" / "y" / "network.json").exists()
    assert "3 classes" in capsys.readouterr().out


def test_refusals_of_a_command_line_are_one_line():
    assert refusal("hub").startswith("push= pull=: give one of push=FOLDER repo=OWNER/NAME")
    assert refusal("hub", "pull=oaks").startswith("pull=oaks is no repository of the hub")
