"""Rows of a report and their names: which runs are seeds of one row, and what tells rows apart."""

from dataclasses import replace

from test_report import rows_of, seeds_of, trained, with_data, write

from ltnas.config import Data, Imbalance, LogitAdjusted, RetrainConfig, SearchConfig
from ltnas.reports.formats import latex, markdown, rows_csv
from ltnas.reports.page import page
from ltnas.reports.paper import named_searches
from ltnas.reports.runs import find_runs


def test_every_setting_that_differs_is_in_the_name(tmp_path):
    """In all formats, whether or not a value on an axis would be enough."""
    plain = RetrainConfig(genotype="darts_v2")
    changes = (
        {"objective": LogitAdjusted(), "weights": replace(plain.weights, learning_rate=0.5)},
        {"crt": replace(plain.crt, epochs=7)},
        {},
    )
    for number, settings in enumerate(changes):
        trained(tmp_path, "darts", 0, 0.8 - 0.1 * number, suffix=f"-{number}", **settings)
    rows = rows_of(tmp_path)
    labels = ["weights.learning_rate=0.5 objective=logit_adjusted", "crt.epochs=7", ""]
    assert [row.label for row in rows] == labels
    for text in (markdown(rows), rows_csv(rows)):
        assert all(label in text for label in labels)
    assert r"weights.learning\_rate=0.5 objective=logit\_adjusted" in latex(rows)


def test_sources_of_genotypes_that_differ_are_in_the_names(tmp_path):
    search = write(tmp_path, "search-darts-exp0.1-s0", SearchConfig(), "darts")
    for number, genotype in enumerate((str(search), "darts_v2", "gone/search-darts-exp0.1-s1")):
        trained(tmp_path, "darts", 0, 0.9 - 0.1 * number, genotype, f"-{number}")
    assert [row.label for row in rows_of(tmp_path)] == ["", "genotype=darts_v2", "search not here"]


def test_files_with_other_cells_are_not_seeds_of_one_row(tmp_path):
    """A genotype that names no scheme was not searched, so its path does not stand for a seed."""
    for number, (path, cells) in enumerate(
        (("/one/mine.json", "{}"), ("/two/mine.json", "{}"), ("/one/other.json", "[]"))
    ):
        folder = trained(tmp_path, "genotype", number, 0.9 - 0.1 * number, path, f"-{number}")
        (folder / "genotype.json").write_text(cells)
    assert [(row.name, seeds_of(row)) for row in rows_of(tmp_path)] == [
        ("genotype genotype=mine.json", [0, 1]),
        ("genotype genotype=other.json", [2]),
    ]


def test_seeds_of_two_machines_are_one_row(tmp_path):
    """Their images have one checksum and two paths, which the table has no room for."""
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
    for seed in range(4):
        data = Data("cifar10", root="/home/a/cifar" if seed < 2 else "/scratch/b/cifar")
        machine = tmp_path / "ab"[seed // 2]
        imbalance = Imbalance("exp", 0.1)
        search = SearchConfig(seed=seed, imbalance=imbalance, data=data)
        searched = write(machine, f"search-darts-exp0.1-s{seed}", search, "darts", seconds=60.0)
        trained(machine, "darts", seed, 0.8, str(searched), data=data)
    (row,) = rows_of(tmp_path)
    assert (row.name, sorted(seeds_of(row))) == ("darts", [0, 1, 2, 3])
    assert "/" not in rows_csv([row])
    text = page([row], find_runs([tmp_path]), [])
    assert text.count("/cifar") == 0


def test_other_images_under_the_same_settings_are_another_row(tmp_path):
    for seed, (root, classes) in enumerate((("cats", "ab"), ("cats", "ab"), ("dogs", "cd"))):
        data = Data("folder", root=f"/data/{root}")
        folder = trained(tmp_path, "darts", seed, 0.9 - 0.1 * seed, data=data)
        with_data(folder, classes=list(classes))
    assert [(row.label, seeds_of(row)) for row in rows_of(tmp_path)] == [
        ("data.root=/data/cats", [0, 1]),
        ("data.root=/data/dogs", [2]),
    ]


def test_a_folder_whose_images_have_changed_is_told_by_its_subset(tmp_path):
    for seed, subset in enumerate(("f00d", "beef")):
        data = Data("folder", root="/data/cats")
        with_data(
            trained(tmp_path, "darts", seed, 0.9 - 0.1 * seed, data=data), subset_checksum=subset
        )
    assert [row.label for row in rows_of(tmp_path)] == ["subset=f00d", "subset=beef"]


def test_rows_of_other_settings_need_no_word_for_their_images(tmp_path):
    for seed, subset in enumerate(("f00d", "beef")):
        folder = trained(tmp_path, "darts", 0, 0.8, data=Data(subset_seed=seed), suffix=f"-{seed}")
        with_data(folder, subset_checksum=subset)
    assert {row.label for row in rows_of(tmp_path)} == {"", "data.subset_seed=1"}


def test_rows_that_nothing_tells_apart_are_numbered(tmp_path):
    for seed, images in enumerate((10, 20)):
        with_data(trained(tmp_path, "darts", seed, 0.9 - 0.1 * seed), test_images=images)
    assert [row.label for row in rows_of(tmp_path)] == ["subset=f00d", "subset=f00d (2)"]


def test_a_run_of_an_older_version_is_a_seed_of_the_same_row(tmp_path):
    """Version 0.1.0 had no checksum of the content, and later ones none of the test images."""
    known = {"checksum": "a" * 64, "test_checksum": "c" * 64, "test_images": 10}
    for seed, keys in enumerate(((), ("checksum", "test_images"), tuple(known))):
        search = SearchConfig(seed=seed, imbalance=Imbalance("exp", 0.1))
        folder = write(tmp_path, f"search-darts-exp0.1-s{seed}", search, "darts")
        for run in (folder, trained(tmp_path, "darts", seed, 0.8, str(folder))):
            with_data(run, **{key: known[key] for key in keys})
    (row,) = rows_of(tmp_path)
    assert (row.name, seeds_of(row)) == ("darts", [0, 1, 2])
    assert list(named_searches(find_runs([tmp_path]))) == ["darts exp0.1"]


def test_a_run_of_an_older_version_joins_none_of_two_data_sets(tmp_path):
    for seed, changes in enumerate(({}, {"checksum": "a" * 64}, {"checksum": "b" * 64})):
        with_data(trained(tmp_path, "darts", seed, 0.9 - 0.1 * seed), **changes)
    assert [seeds_of(row) for row in rows_of(tmp_path)] == [[0], [1], [2]]


def test_rows_of_two_versions_need_no_word_for_their_images(tmp_path):
    with_data(trained(tmp_path, "darts", 0, 0.8), checksum="a" * 64)
    trained(tmp_path, "darts", 0, 0.7, suffix="-b", epochs=30)
    assert [row.label for row in rows_of(tmp_path)] == ["", "epochs=30"]
