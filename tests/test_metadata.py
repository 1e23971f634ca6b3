"""What package indexes, citation managers and readers elsewhere see of the project."""

import re
import tomllib

import pytest
import yaml
from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES, FILES = (
    "https://github.com/ltnas/ltnas/blob/main/",
    "https://raw.githubusercontent.com/ltnas/ltnas/main/",
)


def test_every_picture_and_link_of_the_readme_is_absolute_and_leads_to_a_file():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    for address, start in [*((one, FILES) for one in pictures), *((one, PAGES) for one in links)]:
        assert address.startswith(start)
        assert (REPOSITORY / address.removeprefix(start).partition("#")[0]).exists(), address


def test_the_index_knows_each_python_that_is_supported():
    start = "Programming Language :: Python :: 3."
    minors = [one.removeprefix(start) for one in PROJECT["classifiers"] if one.startswith(start)]
    assert minors == ["11", "12", "13"]
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_files_that_readers_look_for(name):
    assert len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) > 10


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Homepage"]
    assert [author["name"] for author in citation["authors"]] == ["ltnas developers"]


def test_the_changelog_has_a_section_for_this_version():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", text, re.M)
    assert headings == ["Unreleased", PROJECT["version"]]
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)", text, re.M)) <= kinds
    # Every scheme has been announced.
    schemes = {path.stem for path in (REPOSITORY / "conf" / "scheme").glob("*.yaml")}
    assert schemes <= set(re.findall(r"`(\w+)`", text))
