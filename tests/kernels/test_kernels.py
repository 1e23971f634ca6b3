"""Building and loading the kernels, running without them, and kernels outside of a cell."""

import functools
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional

from ltnas.kernels import Kernels, kernels
from ltnas.kernels import build as building
from ltnas.kernels.normalisation import Normalisation, moments, statistics
from ltnas.kernels.pools import pool_backward, pool_forward

WITHOUT_CELLS = (
    "import torch\n"
    "from ltnas.kernels import kernels\n"
    "from ltnas.axes.relaxations import Sigmoid\n"
    "from ltnas.models.search_network import build_search_network\n"
    "from ltnas.models.cell_design import CellDesign\n"
    "design = CellDesign(('skip_connect', 'sep_conv_3x3'), 2)\n"
    "net = build_search_network(design=design, channels=4, cells=3,"
    "    classes=5, relaxation=Sigmoid(), initial_deviation=0.1)\n"
    "print(kernels() is not None, net(torch.zeros(2, 3, 8, 8)).shape)\n"
)
NOTE = (
    "note: the CPU kernels could not be {}: plain PyTorch is used, which is slower; "
    "LTNAS_KERNELS=off silences this\n"
)


@pytest.fixture
def run(python):
    """Return True if a process with its own cache has kernels; check what it prints on stderr."""
    return functools.partial(has_kernels, python)


def has_kernels(python, cache, message="", **environment):
    done = subprocess.run(
        [python, "-c", WITHOUT_CELLS],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "MPLCONFIGDIR": "/tmp", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split(maxsplit=1)[1] == "torch.Size([2, 5])\n"
    assert done.stderr == message
    return done.stdout.split()[0] == "True"


def compiler(folder, script):
    """Return the path of a compiler that runs a line of shell."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_machine_with_a_compiler_has_kernels():
    assert isinstance(kernels(), Kernels)


def test_the_library_is_built_once_and_kept(run, tmp_path, monkeypatch):
    # Most of the time of a build is optimisation; the library of all other tests has it.
    real = next(filter(None, map(shutil.which, building.COMPILERS)))
    monkeypatch.setenv("CXX", compiler(tmp_path, f'exec {real} "$@" -O0'))
    cache = tmp_path / "cache"
    assert run(cache)
    (library,) = cache.rglob("*.so")
    before = library.stat().st_mtime_ns
    assert run(cache)
    assert library.stat().st_mtime_ns == before
    assert {path.name for path in library.parent.iterdir()} == {library.name, "lock"}


def test_processes_that_start_together_build_once(tmp_path, monkeypatch):
    real = next(filter(None, map(shutil.which, building.COMPILERS)))
    calls = tmp_path / "calls"
    script = f'echo >> {calls}; sleep 0.2; {real} -shared -x c /dev/null -o "$8"'
    monkeypatch.setenv("CXX", compiler(tmp_path, script))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: building.build_library(), range(3)))
    assert paths[0].exists()
    assert paths == paths[:1] * 3
    assert calls.read_text() == "\n"


def test_a_machine_without_a_compiler_runs_silently(run, tmp_path):
    assert not run(tmp_path, PATH="/nowhere", CXX="")
    assert not list(tmp_path.rglob("*.so"))


def test_a_compiler_that_fails_is_reported_once(run, tmp_path):
    message = NOTE.format("built (/bin/false ended with exit code 1)")
    assert not run(tmp_path, message, CXX="/bin/false")
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "In file\\nx.cpp:3: fatal error: omp.h\\nx.cpp:4: error\\n",
            "x.cpp:3: fatal error: omp.h",
        ),
        ("\\nnot supported\\n", "not supported"),
        ("ld: No space left on device\\nerror\\n", "No space left on device: {cache} or "),
    ],
)
def test_the_report_has_the_first_error_of_the_compiler(output, reason, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("CXX", compiler(tmp_path, f"printf '{output}' >&2; exit 1"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    with pytest.raises(building.BuildError) as caught:
        building.build_library()
    assert str(caught.value).startswith(reason.format(cache=cache / "ltnas" / "kernels"))


def test_a_compiler_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "SECONDS", 0.1)
    monkeypatch.setenv("CXX", compiler(tmp_path, "exec sleep 60"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(building.BuildError, match="compiler took longer than 0 s"):
        building.build_library()


def test_the_switch_disables_the_kernels(run, tmp_path):
    assert not run(tmp_path, LTNAS_KERNELS="off")


def test_a_cache_that_cannot_be_written_is_reported_once(run, tmp_path):
    (tmp_path / "file").write_text("no folder")
    message = NOTE.format(f"built (Not a directory: {tmp_path / 'file' / 'ltnas' / 'kernels'})")
    assert not run(tmp_path / "file", message)


def test_a_broken_library_is_reported(monkeypatch, tmp_path, capsys):
    (tmp_path / "broken.so").write_bytes(b"not a library")
    monkeypatch.setattr("ltnas.kernels.build_library", lambda: tmp_path / "broken.so")
    assert kernels.__wrapped__() is None
    message = capsys.readouterr().err
    assert message.startswith(f"note: the CPU kernels could not be loaded ({tmp_path}/broken.so: ")
    assert message.endswith(NOTE.rpartition("{}")[2])
    assert message.count("\n") == 1


def test_another_source_or_processor_is_another_library(monkeypatch):
    keys = {building._key("source", "c++"), building._key("other", "c++")}
    monkeypatch.setattr(building, "_processor", lambda: "another")
    keys.add(building._key("source", "c++"))
    assert len(keys) == 3


# --- normalisation ------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 8, 21])
def test_statistics_are_those_of_batch_norm(channels):
    torch.manual_seed(0)
    x = torch.randn(4, 5, 7, channels).double() * 3 + 1
    ours, theirs = (nn.BatchNorm2d(channels, affine=False).double() for _ in range(2))
    actual = Normalisation(*torch.empty(2, channels, dtype=torch.float64))
    statistics(ours, moments(x), 4 * 5 * 7, actual)
    theirs(x.permute(0, 3, 1, 2))
    torch.testing.assert_close(actual.mean, x.mean((0, 1, 2)))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    statistics(ours.eval(), None, 0, actual)
    torch.testing.assert_close(actual.inverse, (theirs.running_var + theirs.eps).rsqrt())


def test_large_means_cost_no_digits_of_the_deviation():
    """In float32, a deviation of 0.01 is lost in the squares of numbers near 1000."""
    torch.manual_seed(0)
    x = 1000 + 0.01 * torch.randn(8, 16, 16, 9)
    actual = Normalisation(*torch.empty(2, 9, dtype=torch.float64))
    layer = nn.BatchNorm2d(9, affine=False, eps=1e-12)
    statistics(layer, moments(x), 8 * 16 * 16, actual)
    expected = x.double().var((0, 1, 2), correction=0).rsqrt()
    torch.testing.assert_close(actual.inverse, expected, rtol=1e-5, atol=0)


# --- pools --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [3, 8, 19])
def test_pools_are_those_of_pytorch(stride, channels):
    torch.manual_seed(0)
    # Few values, so that many windows hold their largest more than once.
    x = torch.randint(4, (3, 8, 6, channels)).double()
    g = torch.randn(2, 3, 8 // stride, 6 // stride, channels).double()
    state = x.permute(0, 3, 1, 2).requires_grad_()
    pools = (
        functional.max_pool2d(state, 3, stride, 1),
        functional.avg_pool2d(state, 3, stride, 1, count_include_pad=False),
    )
    for ours, theirs in zip(pool_forward(x, stride), pools, strict=True):
        torch.testing.assert_close(ours, theirs.permute(0, 2, 3, 1))
    (expected,) = torch.autograd.grad(pools, state, [part.permute(0, 3, 1, 2) for part in g])
    gradient = torch.ones_like(x)
    pool_backward(x, stride, g[0], g[1], gradient)
    torch.testing.assert_close(gradient - 1, expected.permute(0, 2, 3, 1))
