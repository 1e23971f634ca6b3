"""Commands in forks of one process that has loaded everything: what takes seconds is done once.

`python forked.py` reads requests, a line of JSON each, and answers with exit codes. Requests are
run one after the other, each in a child, which is to a command what a fresh interpreter would be.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path


class Server:
    """Runs `python -m MODULE ARGUMENTS`, as `subprocess.run` would with output captured."""

    def __init__(self, **options) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, module, arguments, cwd, env=None) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder) / name) for name in ("out", "err")]
            request = {
                **{"module": module, "arguments": [*map(str, arguments)], "cwd": str(cwd)},
                **{"env": dict(os.environ if env is None else env), "files": files},
            }
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
            assert answer, "the server has died"
            texts = [Path(file).read_text(encoding="utf-8") for file in files]
            return subprocess.CompletedProcess([module, *arguments], int(answer), *texts)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve() -> None:
    sys.path.insert(0, "")
    load()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            answers.close()
            become(**request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


LOADED = (
    *("ltnas.pipeline", "ltnas.plots.cells", "ltnas.report"),
    *("ltnas.training.retrain_module", "ltnas.training.search_module", "ltnas.training.trainer"),
    # Imported only where they are needed, which is in almost every command.
    *("hydra.main", "sklearn.datasets", "matplotlib.backends.backend_agg"),
    *("matplotlib.backends.backend_svg", "omegaconf.grammar_parser"),
)


def load() -> None:
    for name in LOADED:
        importlib.import_module(name)
    # They are run again, as programs.
    for name in ("search", "retrain", "pipeline", "report"):
        sys.modules.pop(f"ltnas.{name}", None)


def become(module, arguments, cwd, env, files) -> None:
    """This process, a child, as the command's own."""
    code = 1
    try:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        sys.argv = [module, *arguments]
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:  # as the interpreter does
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
