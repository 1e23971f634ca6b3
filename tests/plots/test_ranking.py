"""Pictures of a ranking."""

import csv

from ltnas.plots.ranking import MOST, plot_agreement, plot_ranking, points, read_rows
from ltnas.runs.folder import RunFolder


def write(folder, rows):
    with (folder / "rank.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["genotype", "accuracy", "runs", "nwot", "nwot_deviation", "nwot_rank"])
        writer.writerows(rows)
    return RunFolder(folder)


def test_ranks_and_names_are_written(tmp_path):
    folder = write(tmp_path, [["mine", "", 0, 2.0, "", 1.0], ["yours", "", 0, 1.0, "", 2.5]])
    plot_ranking(folder, ["nwot"])
    first = (tmp_path / "rank.svg").read_text()
    for text in ("mine", "yours", "nwot", "2.5"):
        assert f"<!-- {text} -->" in first
    plot_ranking(folder, ["nwot"])
    assert (tmp_path / "rank.svg").read_text() == first
    assert (tmp_path / "rank.png").read_bytes()[:4] == b"\x89PNG"


def test_few_proxies_and_a_long_name_fit(tmp_path, recwarn):
    name = "search-fairdarts_ssl-exp0.1-s0-20261128-140757-341205947"
    plot_ranking(write(tmp_path, [[name, "", 0, 2.0, "", 1.0]]), ["nwot"])
    assert "<!-- search-fairdarts_ssl-exp0.1-s0 -->" in (tmp_path / "rank.svg").read_text()
    # A file or process that another test has left may be collected, with a warning, at any time.
    warnings = [one for one in recwarn if not issubclass(one.category, ResourceWarning)]
    assert [str(one.message) for one in warnings] == []


def test_only_the_first_of_many_are_drawn(tmp_path):
    rows = [[f"g{place}", "", 0, -place, "", place + 1] for place in range(MOST + 1)]
    plot_ranking(write(tmp_path, rows), ["nwot"])
    text = (tmp_path / "rank.svg").read_text()
    assert f"<!-- g{MOST - 1} -->" in text
    assert f"<!-- g{MOST} -->" not in text


def test_accuracies_over_scores(tmp_path):
    lines = [
        ["a", 0.5, 1, 2.0, "", 1],
        ["b", 0.25, 1, "-inf", "", 3],
        ["c", "", 0, 1.0, "", 2],
        ["d", 0.75, 1, 3.0, "", 2],
    ]
    plot_agreement(write(tmp_path, lines), {"nwot": 0.5})
    text = (tmp_path / "accuracy.svg").read_text()
    assert "<!-- nwot  τ +0.50 -->" in text
    rows = read_rows(RunFolder(tmp_path))
    assert points(rows, "nwot") == [(2.0, 50.0), (3.0, 75.0)]
