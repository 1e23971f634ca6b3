"""The Hugging Face hub, with its client replaced: no test needs a network."""

import shutil
import types

import huggingface_hub
import pytest
from huggingface_hub import errors
from trained import saved_network

from ltnas.deployment import hugging_face
from ltnas.deployment.hugging_face import pull, push
from ltnas.errors import UserError
from ltnas.models.saved import load_network


class Hub:
    """Stand-in of the client that keeps repositories in a folder."""

    CommitOperationAdd = huggingface_hub.CommitOperationAdd

    def __init__(self, root):
        self.root, self.made = root, []

    def HfApi(self):
        return self

    def create_repo(self, repository, *, private, exist_ok):
        self.made.append((repository, private, exist_ok))
        (self.root / repository).mkdir(parents=True, exist_ok=True)
        return f"https://huggingface.co/{repository}"

    def create_commit(self, repository, operations, *, commit_message):
        self.message = commit_message
        for one in operations:
            shutil.copy(one.path_or_fileobj, self.root / repository / one.path_in_repo)

    def snapshot_download(self, repository, *, local_dir, allow_patterns):
        if not (self.root / repository).exists():
            raise FileNotFoundError("404 Client Error.\nRepository Not Found")
        local_dir.mkdir(parents=True)
        for name in allow_patterns:
            if (self.root / repository / name).exists():
                shutil.copy(self.root / repository / name, local_dir / name)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    replaced = Hub(tmp_path / "hub")
    modules = {"huggingface_hub": replaced, "huggingface_hub.errors": errors}
    monkeypatch.setattr(hugging_face, "extra_package", lambda name, extra: modules[name])
    return replaced


@pytest.fixture
def run(tmp_path):
    folder = saved_network(tmp_path / "retrain-oaks")
    (folder / "model_card.md").write_text("# oaks\n")
    (folder / "metrics.json").write_text('{"command": "data.root=/home/alice"}')
    (folder / "checkpoint.ckpt").touch()
    return folder


def test_what_is_pushed_is_pulled(hub, run, tmp_path):
    assert push(run, "alice/oaks", private=True) == "https://huggingface.co/alice/oaks"
    assert hub.made == [("alice/oaks", True, True)]
    assert hub.message == "Network of retrain-oaks"
    names = {path.name for path in (tmp_path / "hub" / "alice" / "oaks").iterdir()}
    # The card is what the hub shows; nothing with paths of the machine leaves it.
    assert names == {"README.md", "network.json", "network.safetensors"}
    pull("alice/oaks", tmp_path / "pulled")
    assert (tmp_path / "pulled" / "README.md").read_text() == "# oaks\n"
    ours, theirs = load_network(run), load_network(tmp_path / "pulled")
    assert theirs.preprocessing == ours.preprocessing
    weights = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    assert all(one.equal(other) for one, other in weights)


def test_a_repository_that_is_not_there(hub, tmp_path):
    with pytest.raises(UserError) as caught:
        pull("alice/oaks", tmp_path / "pulled")
    assert str(caught.value).startswith(
        "the Hugging Face hub refuses alice/oaks (404 Client Error.): check the name"
    )
    assert "hf auth login" in str(caught.value)


def test_errors_of_the_connection(hub, run, monkeypatch):
    library = next(base for base in errors.HfHubHTTPError.__bases__ if base is not OSError)
    kind = types.new_class("Unreachable", (library,))

    def fail(*arguments, **options):
        raise kind("name not known")

    monkeypatch.setattr(hub, "create_repo", fail)
    with pytest.raises(UserError, match=r"refuses alice/oaks \(name not known\): check the name"):
        push(run, "alice/oaks", private=True)
