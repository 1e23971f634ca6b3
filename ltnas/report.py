"""python -m ltnas.report FOLDER...: tables over many runs, made from their result files alone."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from ltnas.cli.endings import readers_may_leave
from ltnas.config.requirements import require
from ltnas.errors import UserError
from ltnas.reports.doubts import doubts
from ltnas.reports.formats import cells, latex, markdown, rows_csv, runs_csv
from ltnas.reports.page import page, unfinished
from ltnas.reports.rows import make_rows
from ltnas.reports.runs import find_runs
from ltnas.runs.atomic import atomically


def report(folders: list[Path], out: Path) -> Path:
    """Read all runs in the folders, and leave report.md, .csv, .tex, runs.csv and index.html.

    Returns:
        The page.

    Raises:
        UserError: there is no run, or nothing can be written.
    """
    for folder in folders:
        require(
            folder.exists(),
            f"{folder} is not there: give folders that runs are in, for example runs",
        )
    runs = find_runs(folders)
    if not runs:
        names = " ".join(str(folder) for folder in folders)
        raise UserError(f"no run in {names}: give the folder that runs are in, for example runs")
    rows, out = make_rows(runs), out.expanduser()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={out} cannot be made ({error.strerror}): take another") from error
    doubtful = doubts(rows, runs)
    listed = [*doubtful, *unfinished(runs)]
    texts = {
        "report.md": markdown(rows) + "".join(f"\n- {line}" for line in listed) + "\n",
        "report.tex": latex(rows),
        "report.csv": rows_csv(rows),
        "runs.csv": runs_csv(runs),
        "index.html": page(rows, runs, doubtful),
    }
    for name, text in texts.items():
        with atomically(out / name) as partial:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    states = Counter(run.state for run in runs)
    print_rows(cells(rows))
    print(", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    for line in doubtful:
        print(f"note: {line}")
    return out / "index.html"


def print_rows(table: list[list[str]]) -> None:
    """The first columns, which fit a terminal."""
    from rich.console import Console
    from rich.table import Table

    shown = [[*line[:5], line[7]] for line in table]
    found = Table(box=None, pad_edge=False)
    for index, heading in enumerate(shown[0]):
        found.add_column(heading, justify="left" if index < 2 else "right")
    for line in shown[1:]:
        found.add_row(*line)
    if len(shown) > 1:
        Console(highlight=False).print(found)


def main() -> None:
    """The console script."""
    parser = argparse.ArgumentParser(
        prog="python -m ltnas.report", description="Tables and one page over many runs."
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="that runs are in")
    parser.add_argument("--out", type=Path, default=Path("report"), help="where files go (report)")
    arguments = parser.parse_args()
    try:
        with readers_may_leave():
            print(report(arguments.folders, arguments.out), flush=True)
    except UserError as error:
        print(f"ltnas: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
