"""The wheel: built, installed and run away from the checkout."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser

import pytest
from conftest import REPOSITORY


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy of the checkout, and a folder with the package as its wheel brings it."""
    tree, wheels, target = (tmp_path_factory.mktemp(name) for name in ("tree", "wheels", "target"))
    for name in ("ltnas", "conf", "hydra_plugins"):
        shutil.copytree(
            REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, tree)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=tree)
    (wheel,) = wheels.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-index", "--target", str(target), str(wheel), cwd=wheels)
    return tree, target


@pytest.fixture
def python(installed, tmp_path):
    """Run Python with the installed package, in an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(installed[1])}
    return lambda *arguments: run(sys.executable, *arguments, cwd=tmp_path, env=environment)


def test_wheel_holds_package_and_configuration(installed):
    tree, target = installed
    for folder, inside in ((tree / "conf", "conf"), (tree / "ltnas", "")):
        for path in folder.rglob("*"):
            if path.suffix in (".yaml", ".json", ".py", ".cpp", ".html"):
                copy = target / "ltnas" / inside / path.relative_to(folder)
                assert copy.read_bytes() == path.read_bytes(), path
    names = {path.name for path in target.iterdir()}
    # no tests, no conf beside it
    assert names - {"bin"} == {"ltnas", "hydra_plugins", "ltnas-0.1.0.dist-info"}


def test_wheel_tells_type_checkers_and_the_index(installed):
    assert (installed[1] / "ltnas" / "py.typed").read_text() == ""
    (metadata,) = installed[1].glob("*.dist-info")
    lines = (metadata / "METADATA").read_text(encoding="utf-8").splitlines()
    assert "Author: ltnas developers" in lines
    assert "Project-URL: Homepage, https://github.com/ltnas/ltnas" in lines
    assert "Classifier: Typing :: Typed" in lines


def test_wheel_has_the_console_scripts(installed):
    (metadata,) = installed[1].glob("*.dist-info")
    scripts = ConfigParser()
    scripts.read(metadata / "entry_points.txt")
    assert dict(scripts["console_scripts"]) == {
        "ltnas-search": "ltnas.cli.command:search",
        "ltnas-retrain": "ltnas.cli.command:retrain",
        "ltnas-pipeline": "ltnas.cli.command:pipeline",
        "ltnas-rank": "ltnas.cli.command:rank",
        "ltnas-data": "ltnas.cli.command:data",
        "ltnas-predict": "ltnas.cli.command:predict",
        "ltnas-export": "ltnas.cli.command:export",
        "ltnas-draw": "ltnas.cli.command:draw",
        "ltnas-hub": "ltnas.cli.command:hub",
        "ltnas-report": "ltnas.report:main",
    }


def test_installed_package_is_the_one_that_runs(python, installed):
    shown = python(
        "-c",
        "import ltnas, ltnas.cli.command as command, ltnas.space.genotype as genotype\n"
        "print(ltnas.__file__, command.CONF, len(genotype.published_names()))",
    )
    file, conf, names = shown.split()
    assert file == str(installed[1] / "ltnas" / "__init__.py")
    assert conf == str(installed[1] / "ltnas" / "conf")
    assert int(names) > 10


@pytest.mark.parametrize("command", ["search", "retrain"])
def test_installed_command_composes_its_configuration(python, tmp_path, command):
    code = (
        "import sys, runpy, ltnas, atexit\n"
        "atexit.register(lambda: print('file', ltnas.__file__))\n"
        f"sys.argv[0] = 'ltnas.{command}'\n"
        f"runpy.run_module('ltnas.{command}', run_name='__main__')"
    )
    shown = python("-c", code, "--cfg", "job", "imbalance=exp0.02")
    assert "factor: 0.02" in shown
    assert ("scheme: darts" in shown) is (command == "search")
    assert ("auxiliary: 0.4" in shown) is (command == "retrain")
    assert str(REPOSITORY / "ltnas") not in shown
    plain = python("-m", f"ltnas.{command}", "--cfg", "job", "imbalance=exp0.02")
    assert shown.startswith(plain)
    assert list(tmp_path.iterdir()) == []
