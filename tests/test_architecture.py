"""The order of the packages: imports point down, and no files import one another in a circle."""

import ast
import re
from pathlib import Path

from conftest import REPOSITORY

LAYERS = (
    *(["errors"], ["config"], ["distributed"], ["space"], ["runs"], ["axes"], ["data"]),
    *(["kernels"], ["losses"], ["models"], ["objectives"], ["diagnostics"], ["proxies"]),
    *(["training"], ["interop"], ["plots"], ["loggers"], ["callbacks"], ["reports"]),
    *(["ranking"], ["deployment"], ["cli"], ["sweeps"]),
    ["search", "retrain", "report", "rank", "workspace"],
    ["data_preview", "predict", "export", "draw", "hub"],
    ["pipeline"],
)
"""Packages and modules at the top of `ltnas`, from the lowest layer to the highest."""
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
TOP_FILES = 18
DOCUMENT = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")


def modules():
    """Names of all modules and the modules of `ltnas` that each of them imports anywhere."""
    files = {name_of(path): path for path in (REPOSITORY / "ltnas").rglob("*.py")}
    return {
        name: {module for module in imported(path) if module in files or module == "ltnas"}
        for name, path in files.items()
    }


def name_of(path):
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module):
    if module.endswith(".__main__"):  # a command that has the name of a package
        return LEVEL["data_preview"]
    return LEVEL[module.split(".")[1]]


def test_every_module_has_a_layer():
    tops = {name.split(".")[1] for name in modules() if name != "ltnas"}
    assert tops == set(LEVEL)


def test_imports_point_down():
    wrong = [
        f"{name} imports {other}"
        for name, others in modules().items()
        for other in others
        if "ltnas" not in (name, other)
        and name.split(".")[1] != other.split(".")[1]
        and layer(other) >= layer(name)
    ]
    assert wrong == []


def test_no_circle_of_files():
    graph = {name: others - {name, "ltnas"} for name, others in modules().items()}
    graph.pop("ltnas")
    while free := [name for name, others in graph.items() if not others & set(graph)]:
        for name in free:
            del graph[name]
    assert graph == {}


def test_few_files_lie_at_the_top():
    assert len(list(Path(REPOSITORY / "ltnas").glob("*.py"))) <= TOP_FILES


def test_names_of_test_files_are_unique():
    """Two files with one name in different folders are no tests of one run."""
    names = [path.name for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_drawing_shows_the_packages_in_their_order():
    rows = re.findall(r"^│ .{14}([a-z_]+(?:  [a-z_]+)*) ", DOCUMENT.split("```")[1], re.M)
    assert [row.split() for row in rows] == list(reversed(LAYERS))


def test_drawings_fit_a_terminal():
    drawings = [block for block in DOCUMENT.split("```")[1::2] if block.startswith("\n")]
    assert len(drawings) == 2
    assert max(len(line) for drawing in drawings for line in drawing.splitlines()) <= 80
