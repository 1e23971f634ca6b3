"""Commands in forks of one process that has loaded everything: what takes seconds is done once.

`Server.executable` stands for the Python interpreter. `executable -m MODULE ...` and
`executable FILE ...` run in a fork of the server, with the working directory, the environment and
the open standard files of the caller, and so does `-c`; the rest is left to the interpreter. There,
`sys.executable` is this program too, so that jobs and ranks that a command starts are also forks.

The program connects to the server, which forks a keeper for it. The keeper forks the command,
passes signals on to it, and answers with its exit code. It kills the command when the program has
gone: each command has a connection of its own, so that no answer can reach a later command.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from contextlib import suppress
from pathlib import Path

import quick_hydra
from matplotlib.figure import Figure

quick_hydra.install()
UNRENDERED = "LTNAS_TESTS_UNRENDERED"
"""Environment variable of commands whose pictures are drawn and are there, but are empty files."""

PROGRAM = """#!{python} -IS
import json, os, signal, socket, sys

words = sys.argv[1:]
while words[:1] == ["-u"]:  # output is not held back in either case
    del words[0]
refused = not words or words[0][0] == "-" and words[0] not in ("-m", "-c")
if refused or words[1:2] == ["submitit.local._local"]:  # its process number is a job's name
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
server.sendall(request)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
code = int(server.makefile().read() or -9)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if code != -9 else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""What stands for the interpreter. It starts in a hundredth of the time of `import torch`."""


class Server:
    """Runs `python -m MODULE ARGUMENTS`, as `subprocess.run` would with output captured."""

    def __init__(self, **options) -> None:
        self.folder = tempfile.mkdtemp()
        address = f"{self.folder}/socket"
        self.executable = f"{self.folder}/python"
        Path(self.executable).write_text(
            PROGRAM.format(python=sys.executable, address=address), encoding="utf-8"
        )
        Path(self.executable).chmod(0o755)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen()  # commands may be started before everything is loaded
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.executable, str(listener.fileno())],
            stdin=subprocess.PIPE,  # closed when this process ends, however it does
            pass_fds=[listener.fileno()],
            **options,
        )
        listener.close()

    def run(self, module, arguments, cwd, env=None) -> subprocess.CompletedProcess:
        command = [self.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, check=False
        )

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder)


def serve(executable: str, listener: socket.socket) -> None:
    """Fork a keeper for each connection, until the process that started this one has ended."""
    sys.path[0] = ""  # as for `python -m`
    load()
    sys.executable = executable
    # Objects of the modules are not looked at by each collection of each fork.
    gc.collect()
    gc.freeze()
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            keep(connection)
        connection.close()
        reap()
    reap()


def reap() -> None:
    """Forget the keepers that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


LOADED = (
    *("ltnas.pipeline", "ltnas.plots.cells", "ltnas.report"),
    *("ltnas.training.retrain_module", "ltnas.training.search_module", "ltnas.training.trainer"),
    # Imported only where they are needed, which is in almost every command.
    *("hydra.main", "sklearn.datasets", "matplotlib.backends.backend_agg"),
    *("matplotlib.backends.backend_svg", "omegaconf.grammar_parser"),
)


COMPOSED = ("search", "retrain", "pipeline")
"""Commands whose configuration is put together before, so that `quick_hydra` knows most of it."""


def load() -> None:
    from hydra import compose, initialize_config_dir

    from ltnas.cli.command import register_configs
    from ltnas.cli.help import CONF

    for name in LOADED:
        importlib.import_module(name)
    register_configs()
    with initialize_config_dir(CONF, version_base="1.3"):
        for name in COMPOSED:
            compose(name, ["data=digits", "imbalance=exp0.1", "trainer=cpu"])
    # They are run again, as programs.
    for name in ("search", "retrain", "pipeline", "report"):
        sys.modules.pop(f"ltnas.{name}", None)


def keep(connection: socket.socket) -> None:
    """This process, a child, as the keeper of the command that the connection asks for."""
    code = 1
    try:
        size, files, _, _ = socket.recv_fds(connection, 8, 3)
        request = connection.makefile("rb", buffering=0)
        words, folder, environment = json.loads(read(request, int.from_bytes(size, "big")))
        command = os.fork()
        if not command:
            request.close()
            connection.close()
            become(words, folder, environment, files)
        for file in files:
            os.close(file)
        code = attend(command, connection)
        connection.sendall(str(code).encode())
    finally:
        os._exit(code & 127)


def read(file, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = file.read(size - len(found))
        assert part, "the program was killed before it had asked for anything"
        found += part
    return found


def attend(command: int, connection: socket.socket) -> int:
    """Return the command's exit code; meanwhile pass signals on to it."""
    while True:
        ended, status = os.waitpid(command, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if not select.select([connection], [], [], 0.01)[0]:
            continue
        numbers = connection.recv(1)
        with suppress(ProcessLookupError):
            if numbers:
                os.kill(command, numbers[0])
            else:  # the program was killed, and its process group with it
                os.killpg(command, signal.SIGKILL)


def become(words, folder, environment, files) -> None:
    """This process, a child, as the command's own."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        open_streams("PYTHONUNBUFFERED" in environment)
        adopt(environment)
        code = run_as_main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def open_streams(unbuffered) -> None:
    """Streams of Python remember of which kind their files are, which are others now."""
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - they are open as long as the process
    sys.stdout = open(1, "w", buffering=1 if unbuffered else -1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def adopt(environment) -> None:
    """Take the environment variables, with what an interpreter reads in them when it starts."""
    if "LTNAS_LAUNCHER" in environment:  # the keeper stands for the process that started it
        environment["LTNAS_LAUNCHER"] = str(os.getppid())
    os.environ.clear()
    os.environ.update(environment)
    folders = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[1:1] = [folder for folder in folders if folder not in sys.path]
    if UNRENDERED in environment:
        Figure.savefig = write_empty


def write_empty(figure, path, **options) -> None:
    """Stand for `Figure.savefig`: the figure is not rendered, which is half of a small run."""
    Path(path).touch()


def run_as_main(words) -> int:
    """Run a module, code or a file as a program; return its exit code, as the interpreter does."""
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        elif words[0] == "-c":
            sys.argv = ["-c", *words[2:]]
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            exec(words[1], vars(main))
        else:
            sys.argv = words
            sys.path[0] = str(Path(words[0]).parent)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
