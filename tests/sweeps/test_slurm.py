"""`hydra/launcher=slurm`: the requests to the cluster, and tasks that are queued again.

The tests need no cluster: the local executor of submitit runs the tasks.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TINY
from hydra import compose, initialize_config_dir
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment

from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF
from ltnas.cli.messages import user_message
from ltnas.training.trainer import _cluster, build_trainer

pytestmark = pytest.mark.usefixtures("unrendered")


def test_requests_to_the_queue():
    register_configs()
    with initialize_config_dir(CONF, version_base="1.3"):
        words = ["hydra/launcher=slurm", "hydra.launcher.partition=gpu"]
        config = compose("search", words, return_hydra_config=True).hydra.launcher
    assert config._target_.endswith("submitit_launcher.SlurmLauncher")
    assert (config.gpus_per_node, config.tasks_per_node, config.partition) == (1, 1, "gpu")
    assert config.signal_delay_s > 0
    assert config.max_num_timeout > 0


def test_a_missing_package_is_named(monkeypatch):
    from hydra.errors import MissingConfigException

    error = MissingConfigException("no", "hydra/launcher/submitit_slurm", ["basic", "gpus"])
    assert user_message(error).endswith("pip install 'ltnas[slurm]'")


@pytest.mark.parametrize("tasks", ["1", "4"])
def test_one_process_inside_a_job_is_one_process(monkeypatch, tmp_path, tasks):
    """Lightning would take it for one of the job's tasks, and queue the job again itself."""
    from composed import composed

    from ltnas.runs.folder import RunFolder

    for name, value in {"SLURM_NTASKS": tasks, "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "x"}.items():
        monkeypatch.setenv(name, value)
    for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"):
        monkeypatch.setenv(name, "0")
    trainer = build_trainer(
        composed("search"),
        accelerator="cpu",
        epochs=1,
        folder=RunFolder(tmp_path),
        callbacks=[],
        logger=None,
    )
    environment = trainer._accelerator_connector.cluster_environment
    assert isinstance(environment, LightningEnvironment)
    assert trainer.world_size == 1


def test_lightning_does_not_queue_the_tasks_of_srun_again(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    (environment,) = _cluster(2)
    assert isinstance(environment, SLURMEnvironment)
    assert environment.auto_requeue is False


def tasks(sweep):
    """Return the processes of submitit that run a task, without the one that watches it."""
    numbers = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes().split(b"\0")
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if (
            f"SWEEP_UNDER_TEST={sweep}".encode() in environment
            and b"submitit.core._submit" in command
        ):
            numbers.append(int(path.parent.name))
    return numbers


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_preempted_task_is_resumed(python, tmp_path):
    words = [word for word in TINY if not word.startswith(("epochs", "limit_batches"))]
    command = [
        *(python, "-m", "ltnas.search", "-m", "hydra/launcher=submitit_local"),
        *("hydra.launcher.timeout_min=5", *words, "scheme=darts", "space.nodes=1"),
        *("epochs=6", "limit_batches=3"),
    ]
    environment = {**os.environ, "SWEEP_UNDER_TEST": str(os.getpid())}
    sweep = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while not (histories := list(tmp_path.glob("runs/search-*/history.csv"))):
        assert sweep.poll() is None, sweep.stdout.read()
        time.sleep(0.01)
    (task,) = tasks(os.getpid())
    os.kill(task, signal.SIGUSR2)  # as SLURM does before it takes the machine away
    while set(tasks(os.getpid())) <= {task}:
        assert sweep.poll() is None, "no task has taken the place of the one that was pre-empted"
        time.sleep(0.01)
    output, _ = sweep.communicate()
    assert sweep.returncode == 0, output
    (folder,) = {path.parent for path in histories}
    assert list(tmp_path.glob("runs/search-*")) == [folder]
    assert len((folder / "history.csv").read_text().splitlines()) == 1 + 6
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == 6
