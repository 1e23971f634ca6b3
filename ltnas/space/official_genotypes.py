"""Genotypes as the code of DARTS and its successors writes them, converted to those of ours.

Their fields are `normal`, `normal_concat`, `reduce` and `reduce_concat`. Edges are pairs
(operation, source), two for each node, or in FairDARTS triples (operation, node, source).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from ltnas.config import StackedCells
from ltnas.errors import UserError

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""Fields of a genotype, in their order."""
START = re.compile(r"\bGenotype\s*\(")
"""Start of a genotype in a text, for example in a log."""

LARGEST_BOUND = 100
"""Bound of `range(...)` above which a text is no genotype: cells have far fewer states."""


def converted(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the data for `ltnas.space.genotype.parse_genotype` of a genotype's fields.

    Nodes without an input, which only triples can leave, are taken out of the output of a cell, as
    FairDARTS does.

    Args:
        fields: sequence of each field.
        where: where the genotype comes from, with which error messages begin.

    Raises:
        UserError: a field is missing or is not a list, tuple or range, or an edge is not a pair or
            a triple.
    """
    for field in FIELDS:
        if not isinstance(fields.get(field), list | tuple | range):
            raise UserError(
                f"{where} has no {field}: give a published name, a file, a Genotype, or an "
                f"original genotype with {', '.join(FIELDS)}"
            )
    data = {}
    for kind in StackedCells.kinds:
        edges = _edges(fields[kind], where)
        outputs = list(fields[f"{kind}_concat"])
        if any(len(item) == 3 for item in fields[kind]):
            entered = [node for _, node, _ in edges]
            outputs = [node for node in outputs if node in entered]
        data[kind] = {"edges": edges, "concat": outputs}
    return data


def _edges(items: Sequence[Any], where: str) -> list[list[Any]]:
    """Convert pairs or triples of a cell to [operation, node, source].

    Raises:
        UserError: an entry is neither a pair nor a triple.
    """
    edges = []
    for index, item in enumerate(items):
        match item:
            # Two edges for each node, so that the position of a pair gives its node.
            case [name, source]:
                edges.append([name, 2 + index // 2, source])
            case [name, node, source]:
                edges.append([name, node, source])
            case _:
                raise UserError(
                    f"{where}: {item!r} is not a pair of an operation and its source, nor a triple "
                    "of an operation, its node and its source"
                )
    return edges


def genotype_in_text(text: str, where: str) -> dict[str, Any] | None:
    """Return the data of the last `Genotype(...)` in a text, or None if it has none.

    The text may be a literal, an assignment or a log. Nothing in it is evaluated: only numbers,
    strings, lists, tuples and `range` of numbers are read.

    Args:
        text: content of a file.
        where: where the text comes from, with which error messages begin.

    Raises:
        UserError: the genotype is not closed, contains something else, or is not valid.
    """
    starts = [match.start() for match in START.finditer(text)]
    if not starts:
        return None
    return converted(_fields(_call(text[starts[-1] :], where), where), where)


def _call(text: str, where: str) -> ast.Call:
    """Parse the call at the beginning of a text, which ends with its closing parenthesis."""
    depths = accumulate({"(": 1, ")": -1}.get(character, 0) for character in text)
    closed = (place for place, depth in enumerate(depths) if depth == 0 and text[place] == ")")
    try:
        tree = ast.parse(text[: next(closed, -1) + 1], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(
            f"{where}: its last Genotype(...) is not complete: give the whole text of a genotype"
        ) from error
    assert isinstance(tree, ast.Call)
    return tree


def _fields(call: ast.Call, where: str) -> dict[str, Any]:
    """Return the fields of a genotype, which are given by name or in their order."""
    named = dict(zip(FIELDS, call.args, strict=False))
    named |= {word.arg: word.value for word in call.keywords if word.arg is not None}
    return {name: _value(node, where) for name, node in named.items()}


def _value(node: ast.expr, where: str) -> Any:  # noqa: ANN401 - whatever is written
    """Return the value of a literal or of a `range` of literals.

    Raises:
        UserError: it is other code.
    """
    try:
        match node:
            case ast.Call(func=ast.Name(id="range"), args=arguments, keywords=[]):
                return _range(*(ast.literal_eval(argument) for argument in arguments))
            case ast.Call(func=ast.Name(id="list"), args=[ast.Call() as inner], keywords=[]):
                return _value(inner, where)
            case _:
                return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        code = ast.unparse(node)
        raise UserError(
            f"{where} contains code, {code[:40]}, which is not run: a genotype has only names, "
            "numbers, lists and range(...)"
        ) from error


def _range(*bounds: int) -> range:
    """Return a range of states.

    Raises:
        ValueError: a bound is larger than any state of a cell.
    """
    if any(abs(bound) > LARGEST_BOUND for bound in bounds):
        raise ValueError(f"{bounds} are no states of a cell")
    return range(*bounds)
