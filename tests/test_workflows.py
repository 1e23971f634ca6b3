"""Workflows of GitHub, and the versions that they install."""

import re
import tomllib

import yaml
from conftest import REPOSITORY
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def workflow(name):
    return yaml.safe_load((REPOSITORY / ".github" / "workflows" / name).read_text())


def steps_of(name):
    return [step["run"] for step in workflow(name)["jobs"]["check"]["steps"] if "run" in step]


def locked():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines if line[0] != "#"]
    assert all(pins)
    return {canonicalize_name(pin[1]): pin[2] for pin in pins}


def test_both_workflows_run_the_checks_of_this_repository():
    assert (REPOSITORY / ".ci" / "run").exists()
    assert steps_of("ci.yml") == steps_of("weekly.yml") == [".ci/run"]
    # YAML reads the key `on` as true.
    assert list(workflow("weekly.yml")[True]) == ["schedule", "workflow_dispatch"]
    pythons = workflow("weekly.yml")["jobs"]["check"]["strategy"]["matrix"]["python"]
    start = "Programming Language :: Python :: "
    listed = [one.removeprefix(start) for one in PROJECT["classifiers"] if start in one]
    assert pythons == [version for version in listed if "." in version]


def test_only_the_first_workflow_installs_the_locked_versions():
    assert "constraints.txt" in workflow("ci.yml")["jobs"]["check"]["env"]["PIP_CONSTRAINT"]
    assert "PIP_CONSTRAINT" not in (REPOSITORY / ".github" / "workflows" / "weekly.yml").read_text()


def test_locked_versions_fit_what_the_package_asks_for():
    pins = locked()
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, needed):
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_the_lock_holds_nothing_of_one_platform():
    platform = ("nvidia-", "cuda-", "triton", "ltnas")
    assert [name for name in locked() if name.startswith(platform)] == []
