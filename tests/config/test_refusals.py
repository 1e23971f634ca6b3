"""Settings that are refused: one line with key, value and cure for each requirement."""

import ast
import traceback
from pathlib import Path

import pytest
import refused_axes
import refused_learners
import refused_previews
import refused_rankings
import refused_retraining
import refused_runs
import refused_steps
import refused_using

from ltnas import config as c
from ltnas.errors import UserError

REFUSED = {
    **refused_runs.REFUSED,
    **refused_axes.REFUSED,
    **refused_learners.REFUSED,
    **refused_previews.REFUSED,
    **refused_steps.REFUSED,
    **refused_retraining.REFUSED,
    **refused_rankings.REFUSED,
    **refused_using.REFUSED,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_one_line_with_key_value_and_cure(name):
    make, key_and_value, cure = REFUSED[name]
    with pytest.raises(UserError) as caught:
        make()
    message = str(caught.value)
    assert key_and_value in message
    assert cure in message
    assert "\n" not in message


def test_every_requirement_is_refused_by_one_of_the_cases():
    assert len({refusing_line(make) for make, *_ in REFUSED.values()}) == requirements()


def refusing_line(make):
    """Return file and line of the `require...` call in a configuration that refuses."""
    with pytest.raises(UserError) as caught:
        make()
    frames = traceback.extract_tb(caught.value.__traceback__)
    calls = [frame for frame in frames if not frame.name.startswith("require")]
    return calls[-1].filename, calls[-1].lineno


def requirements():
    """Calls of `require...` in the configurations, other than by one another."""
    files = Path(c.__file__).parent.glob("*.py")
    calls = [
        node
        for file in files
        for method in ast.walk(ast.parse(file.read_text()))
        if isinstance(method, ast.FunctionDef)
        and (method.name == "__post_init__" or method.name.startswith("_check"))
        for node in ast.walk(method)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("require")
    ]
    return len(calls)
