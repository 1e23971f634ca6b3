"""python -m ltnas.data: show what a run would read; see `ltnas.data_preview`."""

from ltnas.cli.command import main

main("data_preview")
