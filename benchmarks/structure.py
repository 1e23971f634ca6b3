"""Measures of the code: `python -m benchmarks.structure [CHECKOUT]`.

Prints the files at the top of `ltnas`, lines, circles of files, lengths of functions, the share of
comment lines and the share of docstrings that open with a word that makes them a fragment.
"""

from __future__ import annotations

import ast
import statistics
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

FRAGMENTS = ("Of", "What", "Whether", "Those", "As", "How", "Where")
Definition = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = sorted((root / "ltnas").rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    lengths = [code_lines(node) for node in nodes if isinstance(node, Definition)]
    docstrings = list(all_docstrings(nodes))
    fragments = [text for text in docstrings if text.split()[0].rstrip(",.:") in FRAGMENTS]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    comments = sum(comment_lines(path) for path in files)
    deciles = statistics.quantiles(lengths, n=10)
    print(f"files at the top of ltnas    {len(list((root / 'ltnas').glob('*.py')))}")
    print(f"files, lines                 {len(files)}, {lines}")
    print(f"files in circles of imports  {len(in_circles(trees, root))}")
    print(f"functions                    {len(lengths)}")
    print(f"lines of a function          median {statistics.median(lengths):.0f}, "
          f"90th percentile {deciles[8]:.0f}")  # fmt: skip
    print(f"comment lines                {100 * comments / lines:.1f} %")
    print(f"docstrings                   {len(docstrings)}")
    print(f"opening with a fragment      {100 * len(fragments) / len(docstrings):.1f} % "
          f"({', '.join(FRAGMENTS)})")  # fmt: skip


def code_lines(function: Definition) -> int:
    """Return the lines of a function without its docstring."""
    assert function.end_lineno is not None
    whole = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is None or first.end_lineno is None:
        return whole
    return whole - (first.end_lineno - first.lineno + 1)


def all_docstrings(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the docstrings of modules, classes and functions, and those after constants."""
    for node in nodes:
        if isinstance(node, Definition | ast.ClassDef | ast.Module):
            previous: ast.AST | None = None
            for index, child in enumerate(node.body):
                text = getattr(getattr(child, "value", None), "value", None)
                documents = index == 0 or isinstance(previous, ast.Assign | ast.AnnAssign)
                if isinstance(child, ast.Expr) and isinstance(text, str) and documents and text:
                    yield text.strip()
                previous = child


def comment_lines(path: Path) -> int:
    """Return the number of lines that hold a comment, directives of tools apart."""
    with path.open("rb") as file:
        return sum(
            token.type == tokenize.COMMENT
            and not token.string.startswith(("# noqa", "# type:", "# fmt:", "#!"))
            for token in tokenize.tokenize(file.readline)
        )


def in_circles(trees: dict[Path, ast.Module], root: Path) -> set[str]:
    """Return the modules that import one another in a circle, or depend on such a circle."""
    names = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in trees}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    graph: dict[str, set[str]] = {}
    for path, tree in trees.items():
        imported: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
        graph[names[path]] = (imported & set(names.values())) - {names[path], "ltnas"}
    graph.pop("ltnas", None)
    # Modules without imports that are left are taken away, until only circles and what leads to
    # them remain; then, from the other side, modules that nobody imports.
    while free := {name for name, others in graph.items() if not others & set(graph)}:
        graph = {name: others for name, others in graph.items() if name not in free}
    while unused := set(graph) - {other for others in graph.values() for other in others}:
        graph = {name: others for name, others in graph.items() if name not in unused}
    return set(graph)


if __name__ == "__main__":
    main()
