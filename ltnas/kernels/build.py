"""Compile kernels.cpp to a shared library that is kept in the user's cache folder."""

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

from ltnas.runs.locks import waiting_lock
from ltnas.runs.user_paths import cache_folder

COMPILERS = ("c++", "g++", "clang++")
"""Compilers in the order in which they are tried, after the one that `CXX` names."""
# -march=native ties a library to the processor's instruction sets, which are part of its key.
FLAGS = ("-O3", "-march=native", "-std=gnu++17", "-fopenmp", "-shared", "-fPIC")
SECONDS = 180.0
"""Time limit of a build, seconds; a build takes about ten."""
FULL = "No space left on device"


class BuildError(Exception):
    """The library could not be built; the message is the reason, in one line."""


def build_library() -> Path | None:
    """Return the path of this machine's library, which is built if it is not in the cache.

    Returns:
        The path; None if there is no compiler.

    Raises:
        BuildError: the compiler fails, or the cache folder cannot be written.
    """
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))), None)
    source = resources.files("ltnas.kernels").joinpath("kernels.cpp").read_text()
    if compiler is None:
        return None
    try:
        folder = cache_folder(None) / "kernels"
    except RuntimeError as error:  # the user has no home folder
        raise BuildError(str(error)) from error
    path = folder / f"{_key(source, compiler)}.so"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # The jobs of a sweep start together: one of them builds for all.
            with waiting_lock(folder / "lock"):
                if not path.exists():
                    _build(compiler, source, path)
    except OSError as error:
        raise BuildError(f"{error.strerror or error}: {folder}") from error
    return path


def _key(source: str, compiler: str) -> str:
    """Return a hash of all that the library depends on, as machines may share a cache folder."""
    parts = (source, compiler, " ".join(FLAGS), platform.machine(), _processor())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Return the processor's instruction sets, which -march=native depends on."""
    with contextlib.suppress(OSError):
        # The flags of the first core; on ARM the line begins with Features.
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def _build(compiler: str, source: str, path: Path) -> None:
    """Build in a temporary folder and move the library to `path`.

    Where files cannot be locked, another process may build it at the same time; a move is atomic.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code, library = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
        code.write_text(source)
        _compile(compiler, code, library)
        os.replace(library, path)


def _compile(compiler: str, code: Path, library: Path) -> None:
    """Run the compiler; raise a `BuildError` with the reason if it fails."""
    command = [compiler, *FLAGS, "-o", str(library), str(code)]
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{compiler} took longer than {SECONDS:.0f} s") from error
    except OSError as error:
        raise BuildError(f"{error.strerror or error}: {compiler}") from error
    if done.returncode == 0:
        return
    if FULL in done.stderr:
        # The compiler also writes temporary files of its own, beside those in the cache folder.
        raise BuildError(f"{FULL}: {library.parent.parent} or {tempfile.gettempdir()}")
    lines = [line.replace(f"{code.parent}/", "") for line in done.stderr.splitlines() if line]
    # Not simply the first line, which may be a warning or only say where a file was included.
    errors = [line for line in lines if "error" in line]
    no_output = f"{compiler} ended with exit code {done.returncode}"
    raise BuildError(next(iter([*errors, *lines]), no_output))
