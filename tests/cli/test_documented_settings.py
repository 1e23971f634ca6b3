"""Own files of settings and completion by the shell, as docs/running.md has them."""

import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from omegaconf import OmegaConf

PAGE = (REPOSITORY / "docs" / "running.md").read_text(encoding="utf-8")


def test_own_settings_are_found_by_the_documented_command(ltnas, tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    path = tmp_path / re.search(r"# (own/\S+);", text)[1]
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (words,) = re.findall(r"`python -m ltnas\.search (--config-dir [^`]*)`", PAGE)
    done = ltnas("search", *words.split(), "epochs=3", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    shown = OmegaConf.create(done.stdout)
    assert (shown.scheme, shown.imbalance.factor, shown.epochs) == ("pc_darts", 0.01, 3)
    assert shown.partial_channels == 4  # of the scheme's file in the package


@pytest.fixture
def shell(tmp_path):
    """Environment in which `ltnas-search` can be called."""
    script = tmp_path / "bin" / "ltnas-search"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom ltnas.cli.command import search\nsearch()\n")
    script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("scheme=fair", ["scheme=fairdarts", "scheme=fairdarts_ssl"]),
        ("relaxation=hard", ["relaxation=hard_gumbel"]),
        ("limit_", ["limit_batches=", "limit_test_batches="]),
    ],
)
def test_bash_completes_what_is_typed(typed, completed, shell, tmp_path):
    (line,) = re.findall(r"```bash\n(eval .*)\n```", PAGE)
    typed_line = f"ltnas-search {typed}"
    script = (
        f"{line}\nCOMP_LINE='{typed_line}' COMP_POINT={len(typed_line)} COMP_CWORD=1\n"
        "hydra_bash_completion\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    command = ["bash", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=shell, capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.split()) == completed


def test_fish_has_a_completion_too(shell, tmp_path):
    (command,) = re.findall(r"`(ltnas-search -sc install=fish) \| source`", PAGE)
    done = subprocess.run(
        command.split(), cwd=tmp_path, env=shell, capture_output=True, text=True, check=True
    )
    assert "complete -c ltnas-search" in done.stdout
