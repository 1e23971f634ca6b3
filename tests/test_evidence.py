"""The page of results, the table of the README and the files that they are made of agree."""

import json
import re
import shutil

import pytest
from conftest import REPOSITORY

from benchmarks import evidence


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Function that writes the page from a folder of results, and returns the new root."""

    def write(results):
        shutil.copy(REPOSITORY / "README.md", tmp_path)
        words = ["evidence", f"results={results}", f"root={tmp_path}"]
        monkeypatch.setattr("sys.argv", words)
        evidence.main()
        return tmp_path

    return write


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_what_is_committed_is_what_the_files_give(written, capsys):
    root = written(REPOSITORY / "results")
    assert re.match(r"\d+ trainings of \d+ systems\n", capsys.readouterr().out)
    for name in ("README.md", "docs/results.md"):
        assert (root / name).read_bytes() == (REPOSITORY / name).read_bytes()
    # Versions of Matplotlib place the same drawing differently.
    picture = "docs/images/results.svg"
    assert texts((root / picture).read_text()) == texts((REPOSITORY / picture).read_text())


def result(accuracy, words, epochs=200, scheme="resnet32"):
    report = {"accuracy": accuracy, "many": accuracy + 0.1, "medium": accuracy, "few": 0.25}
    return {
        "command": f"python -m ltnas.retrain {words}",
        **{"commit": "c0ffee" * 6, "device": "a machine", "seconds": 7200},
        "versions": {"torch": "2.9"},
        "metrics": {
            **{"kind": "retrain", "scheme": scheme, "imbalance": "exp0.01", "epochs": epochs},
            **{"parameters": 460_000, "multiply_accumulates": 69_000_000},
            "test": {"balanced": report, "long_tailed": report},
        },
    }


def test_seeds_are_one_system_and_small_trainings_are_apart(written, tmp_path):
    study = tmp_path / "made" / "study"
    study.mkdir(parents=True)
    words = "network=resnet32 recipe=cross_entropy imbalance=exp0.01"
    contents = [
        result(0.70, f"{words} seed=0"),
        result(0.72, f"{words} seed=1"),
        result(0.5, "genotype=x.json sampler=class_balanced epochs=40 seed=0", 40, "darts"),
        {"kind": "search"},
    ]
    for number, content in enumerate(contents):
        (study / f"{number}.json").write_text(json.dumps(content))
    root = written(tmp_path / "made")
    page = (root / "docs" / "results.md").read_text()
    long, small = page.split("## Small-scale trainings")
    assert "## Trainings of published length" in long
    assert (
        "| resnet32, recipe `cross_entropy` | exp0.01 | 200 | 2 | 71.0 ± 1.4 | 81.0 ± 1.4 |" in long
    )
    assert "| 0.46 | 69 | 2.0 | 70.4 to 71.3 (Cao et al. 2019 and re-runs of it) |" in long
    assert (
        "| scheme `darts`, recipe `paper`, `sampler=class_balanced` | exp0.01 | 40 | 1 | 50.0 |"
        in small
    )
    assert "fewer than three seeds" in page
    table = (root / "README.md").read_text().split(evidence.MARKS[0])[1].split(evidence.MARKS[1])[0]
    assert "resnet32" in table
    assert "darts" not in table
    drawn = texts((root / "docs" / "images" / "results.svg").read_text())
    assert "1: resnet32, recipe cross_entropy, exp0.01" in drawn


def test_without_results_there_is_no_page(written, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        written(tmp_path)
    assert caught.value.code == 2
    assert "has no training" in capsys.readouterr().err
