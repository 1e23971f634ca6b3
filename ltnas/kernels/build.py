"""kernels.cpp to a shared library, kept in the user's cache folder for this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from ltnas.runs.user_cache import cache_folder

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-O3", "-march=native", "-std=gnu++17", "-fopenmp", "-shared", "-fPIC")
SECONDS = 180.0
"""A build that takes longer is given up; it takes about ten."""


def build_library() -> Path | None:
    """The library for this machine, built if it is not in the cache; None where that fails."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))), None)
    source = resources.files("ltnas.kernels").joinpath("kernels.cpp").read_text()
    if compiler is None:
        return None
    path = cache_folder(None) / f"kernels-{_key(source, compiler)}.so"
    if path.exists():
        return path
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _compile(compiler, source, path)
        return path
    return None


def _key(source: str, compiler: str) -> str:
    """Of everything that the library depends on: caches may be shared between machines."""
    parts = (source, compiler, " ".join(FLAGS), platform.machine(), _processor())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """The processor's instruction sets, as -march=native takes what it finds."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def _compile(compiler: str, source: str, path: Path) -> None:
    """Beside its place first: another process may be at it too."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code, library = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
        code.write_text(source)
        subprocess.run(
            [compiler, *FLAGS, "-o", str(library), str(code)],
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        os.replace(library, path)
