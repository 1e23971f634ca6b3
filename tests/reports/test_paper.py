"""The paper's figures and table, from runs."""

import json
import re
from functools import cache

import pytest
from conftest import REPOSITORY
from test_report import rows_of, trained, with_data, write

from ltnas.config import Data, Imbalance, RetrainConfig, SearchConfig
from ltnas.data.long_tail import describe_data, load_long_tail
from ltnas.reports import figures, published
from ltnas.reports.curves import curve
from ltnas.reports.paper import (
    contents,
    distributions,
    losses,
    sections,
    supernets,
    table,
)
from ltnas.reports.runs import find_runs
from ltnas.space.genotype import load_genotype


@pytest.fixture
def runs(tmp_path):
    """Two searches of DARTS at exp0.1, one at balance, and trainings at both.

    The checksums of the trainings are those of real data sets.
    """
    for kind, seeds in (("exp", (0, 1)), ("balance", (0,))):
        imbalance = Imbalance("exp", 0.1) if kind == "exp" else Imbalance("balance")
        for seed in seeds:
            search = SearchConfig(seed=seed, imbalance=imbalance)
            counts = [50, 30, 5] if kind == "exp" else [50, 50, 50]
            data = {"subset_checksum": "f00d", "source": "cifar10", "class_counts": counts}
            folder = write(
                tmp_path, f"search-darts-{imbalance.name}-s{seed}", search, "darts", data=data
            )
            lines = ["epoch,accuracy_balanced,accuracy_long_tailed"]
            lines += [f"{epoch},{0.2 * epoch + 0.1 * seed},0.5" for epoch in (1, 2, 3)]
            (folder / "history.csv").write_text("\n".join(lines) + "\n")
    for seed in (0, 1):
        folder = trained(tmp_path, "darts", seed, 0.78 + 0.02 * seed)
        with_data(folder, **checksums("exp", 0.1))
    folder = trained(tmp_path, "darts", 0, 0.9, suffix="-b", imbalance="balance")
    with_data(folder, **checksums("balance"))
    return tmp_path


@cache
def checksums(kind, factor=None):
    """Return the checksums that a run on the digits writes to metrics.json."""
    imbalance = Imbalance(kind, factor)
    config = RetrainConfig(genotype="darts_v2", data=Data("digits"), imbalance=imbalance)
    data = describe_data(config.data.source, load_long_tail(config.data, imbalance))
    return {key: value for key, value in data.items() if key.endswith("checksum")}


def test_fig_6_has_a_bar_for_each_class(runs):
    text = distributions(find_runs([runs]))
    assert text.count("<rect") == 6
    assert "class 2: 5 images" in text
    assert re.findall("<figcaption>(.*?)</figcaption>", text) == ["balance", "exp0.1"]
    # heights are shares of the largest class
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', text)]
    assert heights[3:] == pytest.approx([heights[3], 0.6 * heights[3], 0.1 * heights[3]], abs=0.1)


def test_fig_7_has_means_over_seeds_on_both_test_sets(runs):
    text = supernets(find_runs([runs]))
    assert text.count("<path") == 4
    assert "darts exp0.1: 65.00 % after epoch 3" in text  # of 0.6 and 0.7
    assert "darts balance: 60.00 % after epoch 3" in text
    assert "darts balance: 50.00 % after epoch 3" in text


def test_fig_7_shows_macro_accuracy_where_the_test_split_is_not_balanced(runs):
    search = SearchConfig(imbalance=Imbalance("natural"))
    numbers = {"accuracy_test": 0.9, "macro_accuracy_test": 0.3}
    folder = write(runs, "search-darts-natural-s0", search, "darts", supernet_accuracy=numbers)
    (folder / "history.csv").write_text("epoch,accuracy_test,macro_accuracy_test\n0,0.9,0.3\n")
    text = supernets(find_runs([runs]))
    titles = re.findall("<figcaption>(.*?)</figcaption>", text)
    assert titles == ["all test images, class-balanced", "long-tailed test set"]
    assert "darts natural: 30.00 % after epoch 1" in text
    assert "90.00 %" not in text
    assert text.count("<path") == 5  # the newest search has no long-tailed test set
    colours = re.findall(r'stroke="(.*?)"><title>(.*?):', text)
    assert len(dict(map(reversed, colours))) == len(set(colours)) == 3


def test_fig_8_says_what_a_long_tail_costs(runs):
    cells = re.findall("<td>(.*?)</td>", losses(rows_of(runs)))
    assert cells == ["darts", "exp0.1", "90.00", "79.00", "11.00"]
    assert "in the paper DARTS loses 12.57 to 38.01 points" in losses(rows_of(runs))


def test_fig_8_pairs_imbalances_of_one_data_set(tmp_path):
    """The checksum of the content differs by the imbalance, that of the test images does not."""
    balance, exp = checksums("balance"), checksums("exp", 0.1)
    assert balance["checksum"] != exp["checksum"]
    full = trained(tmp_path, "darts", 0, 0.9, imbalance="balance")
    tail = trained(tmp_path, "darts", 0, 0.8)
    with_data(full, **balance)
    assert losses(rows_of(tmp_path))  # the other run is of a version without checksums
    with_data(tail, **exp)
    assert "<td>10.00</td>" in losses(rows_of(tmp_path))
    with_data(full, test_checksum="f00d")
    assert losses(rows_of(tmp_path)) == ""


def test_fig_8_chooses_no_data_set_for_a_run_without_checksums(tmp_path):
    trained(tmp_path, "darts", 0, 0.8)
    for seed, checksum in enumerate(("f00d", "beef")):
        folder = trained(tmp_path, "darts", seed, 0.9, imbalance="balance")
        with_data(folder, test_checksum=checksum)
    assert losses(rows_of(tmp_path)) == ""


def test_fig_8_compares_what_differs_in_its_imbalance_alone(tmp_path):
    trained(tmp_path, "darts", 0, 0.9, imbalance="balance", epochs=30)
    trained(tmp_path, "darts", 0, 0.8)
    trained(tmp_path, "darts", 0, 0.5, suffix="-b", epochs=30)
    cells = re.findall("<td>(.*?)</td>", losses(rows_of(tmp_path)))
    assert cells == ["darts epochs=30", "exp0.1", "90.00", "50.00", "40.00"]


def test_figs_6_and_7_mix_no_data(runs):
    other = SearchConfig(imbalance=Imbalance("exp", 0.1), channels=50)
    data = {"subset_checksum": "beef", "source": "digits", "class_counts": [3, 2]}
    folder = write(runs, "search-darts-exp0.1-s0-b", other, "darts", data=data)
    (folder / "history.csv").write_text("epoch,accuracy_balanced,accuracy_long_tailed\n0,0.9,0.9\n")
    panels = re.findall("<figcaption>(.*?)</figcaption>", distributions(find_runs([runs])))
    assert panels == ["balance", "exp0.1, cifar10", "exp0.1, digits"]
    text = supernets(find_runs([runs]))
    assert "darts exp0.1 channels=50: 90.00 % after epoch 1" in text
    assert "darts exp0.1: 65.00 % after epoch 3" in text


def test_searches_that_settings_cannot_tell_apart_are_both_there(runs):
    folder = runs / "search-darts-exp0.1-s1"
    settings = json.loads((folder / "fingerprint.json").read_text())
    (folder / "fingerprint.json").write_text(json.dumps(settings | {"of_another_version": 1}))
    text = supernets(find_runs([runs]))
    assert "darts exp0.1: 60.00 % after epoch 3" in text
    assert "70.00 % after epoch 3" in text


def test_fig_9_has_the_papers_cells_beside_ours(runs):
    genotype = load_genotype("darts_v2")[0].to_json()
    (runs / "retrain-darts-exp0.1-s0" / "genotype.json").write_text(json.dumps(genotype))
    cells = re.findall("<td>(.*?)</td>", contents(rows_of(runs)))
    assert cells[:3] == [
        *("SSF-NAS in the paper", "convolutions alone", "convolutions and 2 max pool 3x3"),
    ]
    assert cells[3:] == [
        *("darts", "1 dil conv 3x3, 5 sep conv 3x3, 2 skip connect"),
        "5 max pool 3x3, 3 skip connect",
    ]
    (runs / "retrain-darts-exp0.1-s0" / "genotype.json").write_text("{}")
    assert contents(rows_of(runs)) == ""


def test_a_recipe_and_a_rate_are_not_as_in_the_paper(tmp_path):
    trained(tmp_path, "darts", 0, 0.8, auxiliary=0.0, cutout=0)
    cells = re.findall("<td>(.*?)</td>", table(rows_of(tmp_path)))
    assert cells[-1] == "auxiliary=0.0 cutout=0"


def test_table_1_has_the_papers_values_beside_ours(runs):
    cells = re.findall("<td>(.*?)</td>", table(rows_of(runs)))
    assert cells == ["DARTS", "78.26", "79.00 ± 1.41", "2", "as in the paper"]


def test_published_schemes_exist_and_have_their_names():
    schemes = {path.stem for path in (REPOSITORY / "conf" / "scheme").glob("*.yaml")}
    assert set(published.NAMES) == set(published.ACCURACIES) <= schemes
    assert list(published.NAMES.values()) == ["DARTS", "FairDARTS", "SSF-NAS"]


def test_table_1_says_what_is_smaller_than_in_the_paper(tmp_path):
    search = SearchConfig(imbalance=Imbalance("exp", 0.1), epochs=10)
    folder = write(tmp_path, "search-darts-exp0.1-s0", search, "darts")
    trained(tmp_path, "darts", 0, 0.7, str(folder), epochs=30, channels=16)
    cells = re.findall("<td>(.*?)</td>", table(rows_of(tmp_path)))
    assert cells[-1] == "epochs=30 channels=16 search.epochs=10"


def test_sections_without_runs_are_left_out():
    assert sections([], []) == ""


def test_curves_of_runs_that_went_less_far(runs):
    short = runs / "search-darts-exp0.1-s1" / "history.csv"
    short.write_text("epoch,accuracy_balanced\n0,0.4\n")
    (runs / "search-darts-balance-s0" / "history.csv").write_text("broken")
    folders = sorted(runs.glob("search-*"))
    assert curve(folders, "accuracy_balanced") == [0.3, 0.4, 0.6]
    assert curve(folders, "no_such") == []


def test_lines_stay_in_their_figure():
    text = figures.lines({"a": [0.1, 0.9], "b": [0.5]}, "x < y")
    numbers = [
        tuple(map(float, place.split()))
        for path in re.findall(r'd="M([^"]+)"', text)
        for place in path.split("L")
    ]
    assert numbers[0] == (figures.LEFT, figures.HEIGHT - figures.BOTTOM)
    assert numbers[1] == (figures.WIDTH - figures.RIGHT, figures.TOP)
    assert all(0 <= x <= figures.WIDTH and 0 <= y <= figures.HEIGHT for x, y in numbers)
    assert "x &lt; y" in text
    assert figures.lines({}, "nothing") == ""
