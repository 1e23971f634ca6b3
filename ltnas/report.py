"""python -m ltnas.report FOLDER...: tables and one page over many runs, from their result files."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

from ltnas.cli.encoding import print_everywhere
from ltnas.cli.endings import ending_in_words, readers_may_leave
from ltnas.config.requirements import require
from ltnas.errors import UserError
from ltnas.reports.caveats import caveats
from ltnas.reports.columns import columns
from ltnas.reports.formats import in_markdown, latex, markdown, rows_csv, runs_csv
from ltnas.reports.page import page, unfinished
from ltnas.reports.row import Row
from ltnas.reports.rows import make_rows
from ltnas.reports.runs import find_runs
from ltnas.runs.atomic import atomically
from ltnas.runs.user_paths import expanded


def report(folders: list[Path], out: Path) -> Path:
    """Read all runs in the folders and write report.md, .csv, .tex, runs.csv and index.html.

    Args:
        folders: folders that are searched for runs, with their subfolders.
        out: folder that the files are written to; it is created if necessary.

    Returns:
        Path of the page, index.html.

    Raises:
        UserError: a folder does not exist, there is no run, or nothing can be written.
    """
    out = expanded("--out", out)
    for folder in folders:
        require(
            os.path.exists(folder),  # False also for a name that is too long
            f"{folder} does not exist: give folders that contain runs, for example runs",
        )
    runs = find_runs(folders)
    if not runs:
        names = " ".join(str(folder) for folder in folders)
        raise UserError(f"no run in {names}: give a folder that contains runs, for example runs")
    rows = make_rows(runs)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"out={out} cannot be created ({error.strerror}): choose another folder"
        ) from error
    notes = caveats(rows, runs)
    listed = [*notes, *unfinished(runs)]
    texts = {
        "report.md": markdown(rows) + "".join(f"\n- {in_markdown(line)}" for line in listed) + "\n",
        "report.tex": latex(rows),
        "report.csv": rows_csv(rows),
        "runs.csv": runs_csv(runs),
        "index.html": page(rows, runs, notes),
    }
    for name, text in texts.items():
        with atomically(out / name, "run the report again") as partial:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    states = Counter(run.state for run in runs)
    print_rows(rows)
    print(", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    for line in notes:
        print(f"note: {line}")
    return out / "index.html"


def print_rows(rows: list[Row]) -> None:
    """Print the columns that fit on a terminal; nothing if there are no rows."""
    from rich.table import Table

    from ltnas.cli.console import plain_console

    table = Table(box=None, pad_edge=False)
    shown = [column for column in columns(rows) if column.on_terminal]
    for column in shown:
        table.add_column(column.heading, justify="right" if column.is_number else "left")
    for row in rows:
        table.add_row(*(column.text(row) for column in shown))
    if rows:
        plain_console().print(table)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ltnas.report", description="Tables and one page over many runs."
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="folder that contains runs"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("report"), help="folder for the files (default: report)"
    )
    arguments = parser.parse_args()
    print_everywhere()
    with ending_in_words(advice=""), readers_may_leave():
        print(report(arguments.folders, arguments.out), flush=True)


if __name__ == "__main__":
    main()
