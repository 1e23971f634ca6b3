"""Settings of commands that use networks and genotypes."""

from pathlib import Path

import pytest

from ltnas import config as c
from ltnas.errors import UserError


def test_paths_are_those_texts():
    assert c.PredictConfig(run=Path("a"), images=["b"], out=Path("c")) == c.PredictConfig(
        run="a", images=["b"], out="c"
    )
    assert c.ExportConfig(run=Path("a"), out=Path("b")) == c.ExportConfig(run="a", out="b")
    assert c.DrawConfig(Path("a"), Path("b.PDF")) == c.DrawConfig("a", "b.PDF")
    assert c.HubConfig(push=Path("a"), repo="b/c") == c.HubConfig(push="a", repo="b/c")


@pytest.mark.parametrize("prior", ["training", "uniform", [0.5, 0.5], [3, 0, 1], (1, 2)])
def test_class_frequencies(prior):
    assert c.PredictConfig(run="a", images=["b"], prior=prior).prior == prior


@pytest.mark.parametrize(
    "prior", [None, 3, [], [0, 0], [-1, 2], ["a"], [True, 1], [float("nan"), 1], [float("inf")]]
)
def test_what_is_no_class_frequencies(prior):
    with pytest.raises(UserError, match=r"^prior=.* is not known"):
        c.PredictConfig(run="a", images=["b"], prior=prior)


@pytest.mark.parametrize("name", ["", "a", "a/b/c", "a /b", "https://x/a/b"])
def test_names_of_repositories(name):
    with pytest.raises(UserError, match="OWNER/NAME"):
        c.HubConfig(pull=name)
