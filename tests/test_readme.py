"""Every command in the documents runs, with small sizes."""

import re
import shlex
import subprocess
from pathlib import Path

import forked
import pytest
from composed import settings
from conftest import REPOSITORY, TINY
from documents import commands as documented
from PIL import Image
from trained import saved_network

pytestmark = pytest.mark.usefixtures("unrendered")

SIZES = {argument.split("=")[0] for argument in TINY}
PATHS = re.compile(r"^(data\.root|data\.mean|data\.std)=|^experiment=demo")


def small(arguments):
    """Return the arguments with sizes and data replaced by the smallest ones."""
    kept = [
        argument
        for argument in arguments
        if argument.split("=")[0] not in SIZES and not PATHS.match(argument)
    ]
    # Two jobs are enough to run a sweep.
    kept = [re.sub("^seed=0,1.*", "seed=0", argument) for argument in kept]
    kept += ["scheme=random"] if "experiment=table1" in kept else []
    kept = [re.sub("^pretrain_epochs=.*", "pretrain_epochs=1", argument) for argument in kept]
    return [*kept, *TINY[:-2], "limit_batches=1", "epochs=1"]


ONE_NODE = "space.nodes=1"
"""For searches: two of the 14 edges of a cell."""
TRAINING = tuple(f"retrain.{word}" for word in ("auxiliary=0", "cutout=0", *TINY[5:]))


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def searched(tmp_path_factory, commands):
    """Run folder of a search, for commands that name one."""
    folder = tmp_path_factory.mktemp("searched")
    done = commands.run("ltnas.search", ["scheme=random", *TINY], folder)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


def test_there_are_commands_to_check():
    assert len(documented()) >= 8


USING = ("ltnas.predict", "ltnas.export", "ltnas.draw", "ltnas.hub")
"""Commands that use networks and genotypes."""


def uses(parameter):
    """Return True for a command line of a command that uses networks."""
    return parameter.values[0].startswith(tuple(f"python -m {name} " for name in USING))


@pytest.mark.parametrize("command", [one for one in documented() if uses(one)])
def test_documented_use_of_a_network(command, tmp_path, commands, monkeypatch):
    monkeypatch.delenv(forked.UNRENDERED)  # pictures are results of these commands
    words = shlex.split(command)[2:]
    run = saved_network(tmp_path / "run")
    for name in ("photos/a.jpg", "photos/b.png", "more/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (30, 20), 200).save(tmp_path / name)
    (tmp_path / "log.txt").write_text(
        "genotype = Genotype(normal=[('max_pool_3x3', 0), ('sep_conv_5x5', 1)], normal_concat=[2], "
        "reduce=[('avg_pool_3x3', 0), ('avg_pool_3x3', 1)], reduce_concat=range(2, 3))"
    )
    words = [word.replace("runs/retrain-...", str(run)) for word in words]
    if words[0] == "ltnas.hub":  # needs a network; test_hugging_face replaces it
        assert settings("hub", *words[1:]).repo in ("OWNER/NAME", "")
        return
    done = commands.run(words[0], words[1:], tmp_path)
    assert done.returncode == 0, done.stderr
    out = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    assert all((tmp_path / name).stat().st_size > 0 for name in out)


@pytest.mark.parametrize(
    "command",
    [one for one in documented() if "-m benchmarks." not in one.values[0] and not uses(one)],
)
def test_documented_command(command, tmp_path, searched, commands, python):
    words = shlex.split(command)
    if words[0] == "make":
        done = run(["make", "--dry-run", *words[1:]], REPOSITORY)
    elif words[0] == "torchrun":
        module = words.index("-m") + 2
        starts = [python, "-m", "torch.distributed.run", "--standalone", *words[1:module]]
        done = run([*starts, *small(words[module:]), ONE_NODE], tmp_path)
        assert len(list(tmp_path.glob("runs/search-*/metrics.json"))) == 1
    else:
        assert words[:2] == ["python", "-m"], (
            f"{command!r} is a kind of command that this test does not know"
        )
        if words[2] == "ltnas.retrain":
            words = [
                f"genotype={searched}" if word.startswith("genotype=runs") else word
                for word in words
            ] + ["auxiliary=0", "cutout=0"]
        if words[2] == "ltnas.rank":  # it knows no epochs
            kept = [word for word in words[3:] if word.partition("=")[0] not in SIZES]
            kept = [re.sub("^repeats=3$", "repeats=2", word) for word in kept]
            done = commands.run(words[2], [*kept, *TINY[:-2]], tmp_path)
            assert done.returncode == 0, done.stderr
            return
        if words[2] == "ltnas.pipeline":
            replaced = {word.partition("=")[0] for word in TRAINING}
            kept = [word for word in words[3:] if word.partition("=")[0] not in replaced]
            words = [*words[:3], *kept, *TRAINING, "seed=0"]
        reports = words[2] == "ltnas.report"
        arguments = [str(searched.parent)] if reports else small(words[3:])
        arguments += [ONE_NODE] if words[2] == "ltnas.search" else []
        # Without a cluster, submitit runs the tasks on this machine.
        arguments = [
            "hydra/launcher=submitit_local" if word == "hydra/launcher=slurm" else word
            for word in arguments
            if word != "hydra.launcher.partition=gpu"
        ]
        done = commands.run(words[2], arguments, tmp_path)
    assert done.returncode == 0, done.stderr


def test_documented_python(tmp_path, searched, commands, monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.S)
    words = [f"genotype={searched}", "auxiliary=0", "cutout=0", *TINY]
    done = commands.run("ltnas.retrain", words, tmp_path)
    trained = tmp_path / done.stdout.splitlines()[-1]
    block = block.replace("runs/retrain-...", str(trained))
    block = block.replace("epochs=2", "epochs=1, limit_batches=1, channels=4, cells=3")
    Image.new("L", (30, 20), 200).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(block, names)
    assert (names["folder"] / "genotype.json").exists()
    assert names["logits"].shape == (1, 10)
    assert capsys.readouterr().out.splitlines()[-1] == str(int(names["logits"].argmax()))


def test_demo(tmp_path, python, monkeypatch):
    monkeypatch.delenv(forked.UNRENDERED)  # what is shown are its pictures
    script = REPOSITORY / "scripts" / "demo.sh"
    tiny = ["epochs=1", "limit_batches=1", "cells=3", "channels=4", "trainer.threads=1"]
    done = run(["bash", str(script), python, *tiny], tmp_path)
    assert done.returncode == 0, done.stderr
    folders = [Path(line.split()[-1]) for line in done.stdout.splitlines() if line[:4] == "The "]
    assert len(folders) == 2
    for folder in folders:
        assert (tmp_path / folder / "cells.png").stat().st_size > 0
        assert (tmp_path / folder / "metrics.json").exists()
