"""What stops a training, in plain words."""

import csv
import io
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import torch
from composed import composed

from ltnas import config as c
from ltnas.errors import UserError
from ltnas.retrain import retrain
from ltnas.search import search
from ltnas.training import search_module
from ltnas.training.trainer import autocast, choose_accelerator, fit


@pytest.fixture
def gpus(monkeypatch):
    """Let torch see so many GPUs."""

    def see(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return see


# --- the machine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "trainer", "precision", "chosen"),
    [
        (0, c.Trainer(), "32", "cpu"),
        (0, c.Trainer("cpu", devices=2), "32", "cpu"),
        (2, c.Trainer(), "bf16-mixed", "gpu"),
        (2, c.Trainer("gpu", devices=2), "32", "gpu"),
        (2, c.Trainer("cpu", devices=8), "32", "cpu"),
    ],
)
def test_accelerator(gpus, found, trainer, precision, chosen):
    gpus(found)
    assert choose_accelerator(trainer, precision, False) == chosen


@pytest.mark.parametrize(
    ("found", "trainer", "precision", "words"),
    [
        (0, c.Trainer("gpu"), "32", "trainer=gpu, but torch sees no CUDA device: take trainer=cpu"),
        (1, c.Trainer(devices=2), "32", "trainer.devices=2, but there are 1 GPUs: take trainer.de"),
        (0, c.Trainer(), "bf16-mixed", "precision=bf16-mixed on the CPU: "),
        (1, c.Trainer("cpu"), "bf16-mixed", "take precision=32, or a GPU"),
    ],
)
def test_refused_machine(gpus, found, trainer, precision, words):
    gpus(found)
    with pytest.raises(UserError) as caught:
        choose_accelerator(trainer, precision, False)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cpu_compiles_nothing():
    with pytest.raises(UserError, match=r"compile=true on the CPU: .* take compile=false"):
        choose_accelerator(c.Trainer(accelerator="cpu"), "32", True)


def test_commands_ask_for_the_machine_first(tmp_path):
    for command, run in (("search", search), ("retrain", retrain)):
        genotype = ["genotype=darts_v2"] if command == "retrain" else []
        config = composed(command, "precision=bf16-mixed", f"runs={tmp_path}/runs", *genotype)
        with pytest.raises(UserError, match="precision=bf16-mixed on the CPU"):
            run(config)
    assert not (tmp_path / "runs").exists()


def test_autocast():
    x = torch.ones(2, 2)
    with autocast("cpu", "bf16-mixed")():
        assert (x @ x).dtype == torch.bfloat16
    with autocast("cpu", "32")():
        assert (x @ x).dtype == torch.float32
    with autocast("gpu", "32")():
        assert not torch.is_autocast_enabled("cuda")


# --- images -------------------------------------------------------------------------------------


def test_images_too_small_for_the_reductions(tmp_path):
    for size in (4, 10):
        config = composed("search", f"data.image_size={size}", f"runs={tmp_path}/runs")
        with pytest.raises(UserError) as caught:
            search(config)
        message = str(caught.value)
        assert f"images of {size}x{size} pixels" in message
        assert "take data.image_size, a multiple of 4 and at least 8" in message
    assert not (tmp_path / "runs").exists()


def test_images_too_small_for_the_auxiliary_classifier(tmp_path):
    config = composed("retrain", "genotype=darts_v1", "auxiliary=0.4", f"runs={tmp_path}/runs")
    with pytest.raises(UserError) as caught:
        retrain(config)
    message = str(caught.value)
    assert "images of 8x8 pixels leave 2x2 for the auxiliary classifier" in message
    assert "larger data.image_size, or auxiliary=0" in message
    assert not (tmp_path / "runs").exists()


# --- memory and interrupts ----------------------------------------------------------------------


def fails_with(error, tmp_path):
    """`fit` of a trainer that does so."""

    def raise_it(*arguments, **options):
        raise error

    trainer = SimpleNamespace(fit=raise_it, world_size=1)
    return lambda: fit(trainer, None, None, tmp_path / "checkpoint.ckpt")


def no_memory():
    """What torch says when the CPU has none."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 62, dtype=torch.uint8)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee documentation"),
        MemoryError(),
        no_memory(),
    ],
)
def test_memory_that_runs_out(tmp_path, error):
    with pytest.raises(UserError) as caught:
        fails_with(error, tmp_path)()
    message = str(caught.value)
    assert message.startswith("memory ran out: take a smaller batch_size or channels")
    assert "\n" not in message
    assert caught.value.__cause__ is error


def test_memory_that_runs_out_in_a_step(tmp_path, monkeypatch):
    def step(self, batches, index):
        torch.empty(1 << 62, dtype=torch.uint8)

    monkeypatch.setattr(search_module.SearchModule, "training_step", step)
    with pytest.raises(UserError, match="memory ran out"):
        search(composed("search", "space.nodes=1", f"runs={tmp_path}"))


def test_our_own_failures_stay_what_they_are(tmp_path):
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError) as caught:
        fails_with(error, tmp_path)()
    assert caught.value is error


def test_interrupt(tmp_path):
    answer = SystemExit(1)  # Lightning's, as it handles an interrupt
    answer.__context__ = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fails_with(answer, tmp_path)()


def test_an_exit_to_be_queued_again_is_no_interrupt(tmp_path):
    with pytest.raises(SystemExit):
        fails_with(SystemExit(-1), tmp_path)()


# --- numbers ------------------------------------------------------------------------------------


def test_loss_that_is_not_finite(tmp_path):
    config = composed(
        "search", "space.nodes=1", "weights.learning_rate=1e30", f"runs={tmp_path}", "epochs=1"
    )
    with pytest.raises(UserError) as caught:
        search(config)
    message = str(caught.value)
    assert message.startswith(("architecture_loss was nan in step 1", "train_loss was nan in step"))
    assert " of epoch 0: " in message
    assert "smaller weights.learning_rate" in message
    assert "\n" not in message
    (folder,) = tmp_path.iterdir()
    assert not (folder / "checkpoint.ckpt").exists()
    assert not (folder / "genotype.json").exists()


def test_loss_that_is_not_finite_later_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    def rate(config, epoch, epochs):
        return 1e-3 if epoch == 0 else 1e30

    monkeypatch.setattr(search_module, "weight_rate", rate)
    with pytest.raises(UserError, match=r"_loss was nan in step \d of epoch 1: "):
        search(composed("search", "space.nodes=1", f"runs={tmp_path}"))
    (folder,) = tmp_path.iterdir()
    checkpoint = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    weights = [value for key, value in checkpoint["state_dict"].items() if "weight" in key]
    assert weights
    assert all(value.isfinite().all() for value in weights)
    with (folder / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0"]


# --- damage -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """A run that died after its first epoch: what makes its configuration, and its checkpoint."""
    runs = tmp_path_factory.mktemp("unfinished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            search_module,
            "weight_rate",
            lambda _, epoch, __: 1e-3 if epoch == 0 else 1e30,
        )
        with pytest.raises(UserError):
            search(composed("search", "space.nodes=1", f"runs={runs}"))
    (folder,) = runs.iterdir()
    return folder, (folder / "checkpoint.ckpt").read_bytes()


def flipped(content):
    """One bit of the largest tensor is another."""
    with ZipFile(io.BytesIO(content)) as archive:
        tensor = archive.read(max(archive.infolist(), key=lambda record: record.file_size))
    place = content.index(tensor) + len(tensor) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "overwritten": lambda content: b"\0" * len(content),
    "text": lambda content: b"<html>404</html>",
    "bytes": lambda content: content[:9000] + b"\xff" * 50_000 + content[59_000:],
    "one bit of a number": flipped,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint(unfinished, damage):
    folder, content = unfinished
    (folder / "checkpoint.ckpt").write_bytes(DAMAGES[damage](content))
    with pytest.raises(UserError) as caught:
        search(composed("search", "space.nodes=1", f"resume={folder}"))
    message = str(caught.value)
    assert message.startswith(f"{folder / 'checkpoint.ckpt'} is damaged (")
    assert message.endswith("begins this run again")
    assert "\n" not in message


def test_what_is_said_of_a_damaged_checkpoint_helps(unfinished):
    folder, _ = unfinished
    (folder / "checkpoint.ckpt").unlink(missing_ok=True)
    again = search(composed("search", "space.nodes=1", f"resume={folder}"))
    assert again == folder
    assert (folder / "metrics.json").exists()
