"""Settings of selections that measure architectures."""

import pytest
from composed import refusal

from ltnas import config as c
from ltnas.errors import UserError

REFUSED = {
    "no images": (lambda: c.Sampled(images=1), "selection.images=1", "2 or more"),
    "limit of skips": (
        lambda: c.Removal(most_skips=2),
        "selection.most_skips=2 with a selection that measures",
        "leave it at null",
    ),
    "finalists": (
        lambda: c.Sampled(candidates=5, finalists=6),
        "selection.finalists=6",
        "[1, selection.candidates=5]",
    ),
    "population": (
        lambda: c.Evolution(candidates=20, finalists=2, population=21),
        "selection.population=21",
        "[1, selection.candidates=20]",
    ),
    "tournament": (lambda: c.Evolution(tournament=0), "selection.tournament=0", "1 or more"),
    "no mixture": (
        lambda: c.SearchConfig(relaxation=c.HardGumbel(), selection=c.Removal()),
        "selection=removal with relaxation=hard_gumbel",
        "selection=sampled",
    ),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_selection_names_key_value_and_cure(name):
    make, key_and_value, cure = REFUSED[name]
    with pytest.raises(UserError) as caught:
        make()
    message = str(caught.value)
    assert key_and_value in message
    assert cure in message
    assert "\n" not in message


def test_a_command_line_without_a_mixture_is_refused():
    message = refusal("search", "scheme=gdas", "selection=removal")
    assert "take selection=sampled or selection=evolution" in message
