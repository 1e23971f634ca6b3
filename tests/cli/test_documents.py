"""The front page is short, and the documents name every scheme, recipe and source of data."""

import re

import pytest
from conftest import REPOSITORY
from expected import RECIPES, SCHEMES

from ltnas.config.sources import SOURCES

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCS = REPOSITORY / "docs"


def names_in(text):
    return set(re.findall(r"`([\w.]+)`", text))


def test_the_front_page_is_short():
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", ["README.md", "docs/systems.md"])
def test_every_scheme_is_in_the_tables(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    rows = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert set(SCHEMES) - names_in(rows) == set()


def test_every_recipe_and_source_is_in_a_table():
    assert set(RECIPES) - names_in((DOCS / "long-tails.md").read_text(encoding="utf-8")) == set()
    assert set(SOURCES) - names_in(README) == set()


def test_links_of_the_documents_lead_to_files():
    for page in DOCS.glob("*.md"):
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        local = [target for target in targets if not target.startswith("https:")]
        assert [target for target in local if not (DOCS / target).exists()] == []


def test_links_of_the_front_page_lead_to_files():
    base = "https://github.com/ltnas/ltnas/blob/main/"
    targets = [one for one in re.findall(r"\]\(([^)]+)\)", README) if one.startswith(base)]
    assert len(targets) > 8
    missing = [one for one in targets if not (REPOSITORY / one.removeprefix(base)).exists()]
    assert missing == []
