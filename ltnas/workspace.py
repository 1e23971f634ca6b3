"""python -m ltnas.workspace ENTITY: creates a dashboard for the runs of a W&B project."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ltnas.cli.encoding import print_everywhere
from ltnas.data.test_sets import BALANCED, UNBALANCED, headline
from ltnas.errors import UserError
from ltnas.loggers.charts import chart_name
from ltnas.runs.packages import extra_package

SECTIONS: dict[str, list[list[str]]] = {
    "All test images": [["accuracy"], ["many", "medium", "few"], ["macro_f1"]],
    "Long-tailed test set": [["accuracy"], ["many", "medium", "few"], ["calibration_error"]],
    "Training": [["loss"], ["accuracy"], ["learning_rate"]],
    "Architecture": [
        *(["loss"], ["entropy_normal", "entropy_reduce", "entropy_enhancement"]),
        *(["skip_share_normal"], ["largest_eigenvalue"]),
        *(["discretisation_distance"], ["collapsed"]),
    ],
    "Cost": [["seconds"], ["peak_memory_gib"]],
}
"""Section of the dashboard -> its charts; each chart is a list of the numbers that it shows."""
PREFIXES = dict(
    zip(
        SECTIONS,
        ("test_balanced", "test_long_tailed", "train", "architecture", "cost"),
        strict=True,
    )
)
"""Section of the dashboard -> prefix of its numbers' names on W&B."""
PICTURES = ["architecture/cells", "architecture/weights"]
TABLES = [
    f"results/{kind}_{name}"
    for name in (BALANCED, UNBALANCED)
    for kind in ("per_class", "confusion")
]


def workspace(entity: str, project: str) -> Any:  # noqa: ANN401 - the package has no types
    """Return the dashboard of a project; its method `save()` uploads it.

    Args:
        entity: W&B user or team that owns the project.
        project: name of the W&B project.

    Raises:
        UserError: the package that creates dashboards is not installed.
    """
    panels = extra_package("wandb_workspaces.reports.v2", "dashboard")
    workspaces = extra_package("wandb_workspaces.workspaces", "dashboard")
    sections = [
        workspaces.Section(
            name=name,
            is_open=True,
            panels=[panels.LinePlot(x="epoch", y=numbers(PREFIXES[name], keys)) for keys in charts],
        )
        for name, charts in SECTIONS.items()
    ]
    pictures = [panels.MediaBrowser(media_keys=[key], num_columns=2) for key in PICTURES]
    tables = [panels.WeavePanelSummaryTable(table_name=key) for key in TABLES]
    sections.insert(2, workspaces.Section(name="Cells", is_open=True, panels=pictures))
    sections.append(workspaces.Section(name="Classes", is_open=False, panels=tables))
    return workspaces.Workspace(entity=entity, project=project, name="ltnas", sections=sections)


def numbers(prefix: str, keys: list[str]) -> list[str]:
    """Return the names on W&B of the numbers that a chart shows.

    A run has all test images under one of two names, and shows the number that ranks its results.
    """
    names = [f"{prefix}/{key}" for key in keys]
    if prefix == f"test_{BALANCED}":
        ranking = {headline(BALANCED): headline(UNBALANCED)}
        names += [chart_name(f"{ranking.get(key, key)}_{UNBALANCED}") for key in keys]
    return names


def main() -> None:
    """Run the command line."""
    print_everywhere()
    parser = argparse.ArgumentParser(
        prog="python -m ltnas.workspace",
        description="Create a dashboard for the runs of a W&B project.",
    )
    parser.add_argument("entity", metavar="ENTITY", help="W&B user or team")
    parser.add_argument("--project", default="ltnas", help="project of the runs (default: ltnas)")
    arguments = parser.parse_args()
    try:
        dashboard = workspace(arguments.entity, arguments.project)
    except UserError as error:
        print(f"ltnas: {error}", file=sys.stderr)
        sys.exit(2)
    dashboard.save()
    print(dashboard.url)


if __name__ == "__main__":
    main()
