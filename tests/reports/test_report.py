"""`python -m ltnas.report` over run folders, intact and broken ones."""

import csv
import fcntl
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ltnas.report
from ltnas.config import Imbalance, LogitAdjusted, RetrainConfig, SearchConfig
from ltnas.errors import UserError
from ltnas.report import report
from ltnas.reports.caveats import caveats
from ltnas.reports.formats import latex, markdown, rows_csv, runs_csv
from ltnas.reports.page import page
from ltnas.reports.rows import make_rows
from ltnas.reports.runs import find_runs, read_run
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.units import duration, millions

COMMIT = "a" * 40


def reported(accuracy):
    return {
        **{"accuracy": accuracy, "macro_accuracy": accuracy, "macro_f1": accuracy - 0.1},
        **{"calibration_error": 0.05, "many": accuracy + 0.1, "medium": None, "few": 0.25},
    }


def write(root, name, config, scheme, **changes):
    """Write the folder of a finished run, as a command leaves it, and return its path."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "fingerprint.json").write_text(json.dumps(fingerprint(config)))
    metrics = {
        **{"kind": name.split("-")[0], "scheme": scheme, "imbalance": config.imbalance.name},
        **{"seed": config.seed, "seconds": 100.0, "peak_memory_gib": 1.5},
        "data": {"subset_checksum": "f00d", "source": "cifar10"},
        "provenance": {"commit": COMMIT, "command": f"python -m ltnas {name}"},
        **changes,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def trained(
    root, scheme, seed, accuracy, genotype="darts_v2", suffix="", imbalance="exp", **settings
):
    factor = 0.1 if imbalance in ("exp", "step") else None
    config = RetrainConfig(
        genotype=genotype, seed=seed, imbalance=Imbalance(imbalance, factor), **settings
    )
    folder = write(
        root,
        f"retrain-{scheme}-{config.imbalance.name}-s{seed}{suffix}",
        config,
        scheme,
        test={"balanced": reported(accuracy), "long_tailed": reported(accuracy + 0.05)},
        parameters=3_300_000,
        multiply_accumulates=540_000_000,
    )
    lines = [f"{epoch},{accuracy - 0.1 * (1 - epoch)}" for epoch in (0, 1)]
    (folder / "history.csv").write_text("\n".join(["epoch,accuracy_balanced", *lines]) + "\n")
    return folder


@pytest.fixture
def runs(tmp_path):
    """Runs of two schemes: one with two seeds and their searches, and one with another recipe."""
    root = tmp_path / "runs"
    for seed in (0, 1):
        name = f"search-darts-exp0.1-s{seed}"
        search = SearchConfig(seed=seed, imbalance=Imbalance("exp", 0.1))
        write(root, name, search, "darts", seconds=7200.0)
        trained(root, "darts", seed, 0.8 + 0.02 * seed, str(root / name))
    strong = {"recipe": "strong", "objective": LogitAdjusted()}
    (trained(root, "darts", 0, 0.9, suffix="b", **strong) / "cells.svg").write_text("<svg/>")
    trained(root, "fairdarts_ssl", 0, 0.85)
    return root


def write_weights(folder, weight):
    """Write an architecture.csv of two epochs, two edges of each cell and two operations."""
    lines = [
        f"{epoch},{cell},2,{source},{operation},{weight(epoch, source)}\n"
        for epoch in (0, 1)
        for cell in ("normal", "reduce")
        for source in (0, 1)
        for operation in ("none", "skip_connect")
    ]
    header = "epoch,cell,node,source,operation,weight\n"
    (folder / "architecture.csv").write_text(header + "".join(lines))


def seeds_of(row):
    return [run.metrics["seed"] for run in row.runs]


def rows_of(root):
    return make_rows(find_runs([root]))


# --- rows ---------------------------------------------------------------------------------------


def test_seeds_of_a_configuration_are_one_row(runs):
    rows = rows_of(runs)
    assert [(row.scheme, row.label, seeds_of(row)) for row in rows] == [
        ("darts", "strong", [0]),
        ("fairdarts_ssl", "", [0]),
        ("darts", "", [0, 1]),
    ]
    plain = rows[2]
    assert plain.mean("accuracy_balanced") == pytest.approx(0.81)
    assert plain.deviation("accuracy_balanced") == pytest.approx(0.02 / 2**0.5)
    assert plain.mean("accuracy_long_tailed") == pytest.approx(0.86)
    assert plain.mean("medium_balanced") is None
    assert plain.values["search_seconds"] == [7200.0, 7200.0]
    assert rows[0].values["search_seconds"] == []
    assert rows[0].deviation("accuracy_balanced") is None
    assert [row.published_accuracy for row in rows] == [0.7826, 0.8264, 0.7826]


def test_other_settings_are_another_row_and_named_as_on_a_command_line(runs):
    settings = {"objective": LogitAdjusted(), "epochs": 600}
    trained(runs, "darts", 3, 0.7, str(runs / "search-darts-exp0.1-s0"), suffix="c", **settings)
    labels = {row.label for row in rows_of(runs) if row.scheme == "darts"}
    assert labels == {"", "strong", "epochs=600 objective=logit_adjusted"}


def test_the_paper_has_values_for_one_imbalance_alone(runs):
    trained(runs, "darts", 0, 0.6, imbalance="step")
    (row,) = (row for row in rows_of(runs) if row.imbalance == "step0.1")
    assert row.published_accuracy is None


def test_the_paper_has_values_for_cifar_10_alone(tmp_path):
    folder = trained(tmp_path, "darts", 0, 0.6)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["data"]["source"] = "digits"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (row,) = rows_of(tmp_path)
    assert row.published_accuracy is None


def test_trainings_of_other_searches_are_other_rows(tmp_path):
    """Their searches differ in more than the seed, so they are not seeds of one row."""
    for seed, epochs in ((0, 40), (1, 40), (0, 50)):
        name = f"search-darts-exp0.1-s{seed}-{epochs}"
        search = SearchConfig(seed=seed, imbalance=Imbalance("exp", 0.1), epochs=epochs)
        write(tmp_path, name, search, "darts", seconds=60.0 * epochs)
        genotype, accuracy = str(tmp_path / name), 0.8 if epochs == 40 else 0.9
        trained(tmp_path, "darts", seed, accuracy, genotype, f"-{epochs}")
    assert [(row.label, seeds_of(row)) for row in rows_of(tmp_path)] == [
        ("search.epochs=50", [0]),
        ("", [0, 1]),
    ]


def test_a_genotype_by_its_file_is_of_its_search_too(tmp_path):
    for seed, epochs in ((0, 40), (1, 400)):
        name = f"search-darts-exp0.1-s{seed}"
        search = SearchConfig(seed=seed, imbalance=Imbalance("exp", 0.1), epochs=epochs)
        write(tmp_path, name, search, "darts", seconds=60.0)
        trained(tmp_path, "darts", seed, 0.8, str(tmp_path / name / "genotype.json"))
    assert [row.label for row in rows_of(tmp_path)] == ["", "search.epochs=400"]


def test_only_the_newest_run_of_a_seed_counts(tmp_path):
    for suffix, accuracy in (("-1", 0.7), ("-2", 0.8)):
        trained(tmp_path, "darts", 0, accuracy, suffix=suffix)
    trained(tmp_path, "darts", 1, 0.6)
    (row,) = rows_of(tmp_path)
    assert (sorted(seeds_of(row)), row.repeated) == ([0, 1], 1)
    assert row.mean("accuracy_balanced") == pytest.approx(0.7)  # of 0.8 and 0.6
    (line,) = (line for line in caveats([row], []) if "same seed" in line)
    assert line == "several runs of the same seed, only the newest counts: darts exp0.1"


def test_trainings_of_one_seed_on_searches_of_many_are_seeds(tmp_path):
    for seed in (0, 1, 2):
        search = SearchConfig(seed=seed, imbalance=Imbalance("exp", 0.1))
        folder = write(tmp_path, f"search-darts-exp0.1-s{seed}", search, "darts")
        trained(tmp_path, "darts", 0, 0.8, str(folder), suffix=f"-{seed}")
    (row,) = rows_of(tmp_path)
    assert (len(row.runs), row.repeated) == (3, 0)


def test_a_missing_search_is_a_caveat(tmp_path):
    trained(tmp_path, "darts", 0, 0.8, "gone/search-darts-exp0.1-s0")
    (row,) = rows_of(tmp_path)
    assert row.protocol == "search not here"
    caveat = "searches not in these folders, their settings are unknown: darts exp0.1"
    assert caveat in caveats([row], [])


def test_rows_that_share_an_axis_are_told_apart_by_more(tmp_path):
    for number, settings in enumerate(({}, {"drop_path": 0.3})):
        trained(
            tmp_path, "darts", 0, 0.8, suffix=f"-{number}", objective=LogitAdjusted(), **settings
        )
    trained(tmp_path, "darts", 0, 0.7)
    labels = {row.label for row in rows_of(tmp_path)}
    assert labels == {"", "objective=logit_adjusted", "drop_path=0.3 objective=logit_adjusted"}


def test_a_folder_may_be_renamed(tmp_path):
    trained(tmp_path, "darts", 0, 0.8).rename(tmp_path / "best-so-far")
    assert [row.name for row in rows_of(tmp_path)] == ["darts"]


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_a_fingerprint_that_is_not_an_object(runs, text, tmp_path):
    (runs / "retrain-fairdarts_ssl-exp0.1-s0" / "fingerprint.json").write_text(text)
    report([runs], tmp_path / "out")
    line = "- retrain-fairdarts_ssl-exp0.1-s0: unreadable (fingerprint.json is no object)"
    assert line in (tmp_path / "out" / "report.md").read_text()


def test_unfinished_runs_are_in_the_text_too(runs, tmp_path):
    (runs / "retrain-fairdarts_ssl-exp0.1-s0" / "metrics.json").unlink()
    report([runs], tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "- retrain-fairdarts_ssl-exp0.1-s0: unfinished" in text


# --- caveats --------------------------------------------------------------------------------------


def test_caveats_of_rows_imbalances_and_code(runs):
    assert caveats(rows_of(runs), find_runs([runs])) == [
        "fewer than 3 seeds: darts exp0.1, fairdarts_ssl exp0.1",
        "exp0.1: no random genotype to compare with (scheme=random)",
    ]
    folder = trained(runs, "random", 0, 0.75)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["data"]["subset_checksum"] = "beef"
    metrics["provenance"]["commit"] = "b" * 40 + "+"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert caveats(rows_of(runs), find_runs([runs]))[1:] == [
        "exp0.1: runs were trained on different subsets (beef, f00d)",
        "runs come from 2 different commits",
        "some runs used code that was not committed",
    ]


def with_data(folder, **changes):
    """Change the description of the data in a run's metrics.json."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["data"] |= changes
    path.write_text(json.dumps(metrics))


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"checksum": "b" * 64, "source": "digits"}, " (cifar10, digits)"),
        ({"checksum": "b" * 64}, " (aaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbb)"),
        ({"classes": ["cat", "dog"]}, ""),  # of a version without checksums
    ],
)
def test_data_sets_of_the_same_class_sizes_are_a_caveat(tmp_path, changes, shown):
    first = {"classes": ["ant", "bee"]} | ({"checksum": "a" * 64} if "checksum" in changes else {})
    with_data(trained(tmp_path, "darts", 0, 0.8), **first)
    with_data(trained(tmp_path, "random", 0, 0.7), **(first | changes))
    line = f"exp0.1: runs were trained on different data{shown}"
    assert caveats(rows_of(tmp_path), find_runs([tmp_path]))[-1] == line


def test_a_run_without_checksums_is_no_caveat(tmp_path):
    with_data(trained(tmp_path, "darts", 0, 0.8), checksum="a" * 64, test_checksum="c" * 64)
    trained(tmp_path, "random", 0, 0.7)
    lines = caveats(rows_of(tmp_path), find_runs([tmp_path]))
    assert lines == ["fewer than 3 seeds: darts exp0.1, random exp0.1"]


def test_three_seeds_and_a_random_genotype_leave_no_caveat(tmp_path):
    for scheme in ("darts", "random"):
        for seed in range(3):
            trained(tmp_path, scheme, seed, 0.8)
    assert caveats(rows_of(tmp_path), find_runs([tmp_path])) == []


# --- folders ------------------------------------------------------------------------------------


def test_states_of_runs(runs):
    names = {run.folder.name: run for run in find_runs([runs])}
    assert {run.state for run in names.values()} == {"finished"}
    cut_off = runs / "retrain-fairdarts_ssl-exp0.1-s0"
    (cut_off / "metrics.json").unlink()
    assert read_run(cut_off).state == "unfinished"
    with (cut_off / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert read_run(cut_off).state == "running"
    assert read_run(cut_off).state == "unfinished"
    (cut_off / "failure.txt").write_text("no\nroom")
    failed = read_run(cut_off)
    assert (failed.state, failed.reason) == ("failed", "no\nroom")
    for text in ("{", "[]", '{"kind": "retrain"}', "\x00"):
        (cut_off / "metrics.json").write_text(text)
        broken = read_run(cut_off)
        assert broken.state == "unreadable"
        assert broken.reason
    (cut_off / "fingerprint.json").write_text("no")
    assert read_run(cut_off).state == "unreadable"


def test_a_run_is_listed_once_and_its_stages_are_not_runs(runs):
    (runs / "retrain-darts-exp0.1-s0" / "pretrain").mkdir()
    (runs / "retrain-darts-exp0.1-s0" / "pretrain" / "fingerprint.json").write_text("{}")
    (runs.parent / "again").symlink_to(runs)
    assert len(find_runs([runs, runs.parent, runs / "retrain-darts-exp0.1-s0"])) == 6


def test_unfinished_runs_are_listed_and_not_hidden(runs):
    (runs / "retrain-fairdarts_ssl-exp0.1-s0" / "metrics.json").write_text("{}")
    listed = find_runs([runs])
    text = page(make_rows(listed), listed, [])
    assert "retrain-fairdarts_ssl-exp0.1-s0: unreadable (metrics.json has no kind" in text
    lines = list(csv.DictReader(io.StringIO(runs_csv(listed))))
    assert [line["state"] for line in lines].count("finished") == 5
    (broken,) = (line for line in lines if line["state"] == "unreadable")
    assert broken["reason"].startswith("metrics.json has no kind")


# --- formats ------------------------------------------------------------------------------------


def test_markdown(runs):
    head, rule, *body = markdown(rows_of(runs)).splitlines()
    assert head.startswith("| scheme | imbalance | seeds | balanced | paper | many |")
    assert rule.count("|") == head.count("|")
    assert body[2].split(" | ")[:6] == [
        *("| darts", "exp0.1", "2", "81.00 ± 1.41", "78.26", "91.00 ± 1.41"),
    ]
    assert " | 2 h 00 min | 1.7 min | 1.50 |" in body[2]
    assert len(body) == 3


def test_latex(runs):
    text = latex(rows_of(runs))
    assert r"darts & exp0.1 & 2 & 81.00 $\pm$ 1.41 & 78.26" in text
    assert r"fairdarts\_ssl & exp0.1" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in rows}) == 1
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


ODD = r"[a]&b#c$d\e~f^g<h>|*_i_`"
"""Characters that mean something in one of the formats."""


def test_names_with_special_characters_are_shown_as_they_are(tmp_path):
    for scheme in (ODD, '[b\nc,"d"'):
        folder = trained(tmp_path, "x", 0, 0.5, suffix=f"-{len(scheme)}")
        metrics = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(metrics | {"scheme": scheme}))
    rows = rows_of(tmp_path)
    lines = latex(rows).splitlines()
    shown = (
        r"{}[a]\&b\#c\$d\textbackslash{}e\textasciitilde{}f\textasciicircum{}g"
        r"\textless{}h\textgreater{}|*\_i\_` & exp0.1"
    )
    assert lines[4].startswith(shown)
    assert lines[5].startswith('{}[b c,"d" & exp0.1')
    assert len(lines) == 8
    text = markdown(rows).splitlines()
    assert text[2].startswith(r"| \[a\]&b#c$d\\e\~f^g\<h\>\|\*\_i\_\` | exp0.1 |")
    assert text[3].startswith(r'| \[b c,"d" | exp0.1 |')
    (first, second) = csv.DictReader(io.StringIO(rows_csv(rows)))
    assert (first["scheme"], second["scheme"]) == (ODD, '[b\nc,"d"')


def test_names_of_folders_with_special_characters(tmp_path):
    folder = trained(tmp_path / "runs", "x", 0, 0.5)
    folder = folder.rename(folder.with_name('retrain *a* <b> [c]\n"d",e'))
    (folder / "metrics.json").unlink()
    report([tmp_path / "runs"], tmp_path / "out")
    listed = (tmp_path / "out" / "report.md").read_text()
    assert r'- retrain \*a\* \<b\> \[c\] "d",e: unfinished' in listed.splitlines()
    (line,) = csv.DictReader((tmp_path / "out" / "runs.csv").read_text().splitlines(keepends=True))
    assert line["folder"] == str(folder)
    assert "&lt;b&gt;" in (tmp_path / "out" / "index.html").read_text()


def test_table_for_other_programs(runs):
    lines = list(csv.DictReader(io.StringIO(rows_csv(rows_of(runs)))))
    assert [line["scheme"] for line in lines] == ["darts", "fairdarts_ssl", "darts"]
    plain = lines[2]
    assert (plain["label"], plain["seeds"], plain["paper"]) == ("", "2", "0.7826")
    assert float(plain["accuracy_balanced_mean"]) == pytest.approx(0.81)
    assert float(plain["accuracy_balanced_deviation"]) == pytest.approx(0.02 / 2**0.5)
    assert plain["medium_balanced_mean"] == ""
    assert float(plain["parameters_mean"]) == 3_300_000
    assert rows_csv([]) == "scheme,label,imbalance,seeds,paper\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.4, "0 s"), (59, "59 s"), (90, "1.5 min"), (3600, "1 h 00 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_millions():
    assert (millions(None), millions(3_305_000)) == ("-", "3.31")


# --- the page -----------------------------------------------------------------------------------


def data_of(text):
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(data)


def test_page_contains_all_that_it_draws(runs):
    listed = find_runs([runs])
    text = page(make_rows(listed), listed, ["a < b"])
    assert "{{" not in text
    assert "6 runs, 6 finished" in text
    assert "a &lt; b" in text
    data = data_of(text)
    assert data["rows"][0]["name"] == "darts strong · exp0.1"
    for row in data["rows"]:
        assert len(row["cells"]) == len(row["keys"]) == len(data["headings"])
    plain = data["rows"][2]
    assert plain["curves"] == [[0.71, 0.81], [], [], []]
    assert len(plain["commands"]) == 2
    assert data["rows"][0]["drawing"].startswith("data:image/svg+xml;base64,")
    assert plain["drawing"] == ""
    outside = re.findall(r'(?:src|href)="(?!data:)([^"]+)"|https?://[^\s"]+', text)
    assert set(outside) <= {""}  # the namespace of SVG is the only address
    assert re.findall(r"https?://[^\s\"]+", text) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("name", ["</script><b>", "<!--<script>", "{{paper}}{{data}}"])
def test_names_are_escaped(runs, name):
    trained(runs, name, 0, 0.5, suffix="/../retrain-x")
    (runs / "retrain-fairdarts_ssl-exp0.1-s0" / "metrics.json").unlink()
    (runs / "retrain-fairdarts_ssl-exp0.1-s0").rename(runs / "retrain-{{data}}")
    listed = find_runs([runs])
    text = page(make_rows(listed), listed, [])
    assert any(name in row["name"] for row in data_of(text)["rows"])
    assert text.count("</script>") == 2
    assert text.count("<script") == 2
    assert "<li>retrain-{{data}}: unfinished</li>" in text


def test_mixing_weights_are_those_of_the_search(runs, tmp_path):
    write_weights(runs / "search-darts-exp0.1-s0", lambda epoch, source: 0.1 * epoch + 0.5 * source)
    listed = find_runs([runs])
    plain = data_of(page(make_rows(listed), listed, []))["rows"][2]["weights"]
    assert plain["operations"] == ["none", "skip_connect"]
    assert plain["cells"]["reduce"]["1 → 2"] == [[0.5, 0.6], [0.5, 0.6]]
    csv = runs / "search-darts-exp0.1-s0" / "architecture.csv"
    lines = csv.read_text().splitlines(keepends=True)
    csv.write_text("".join(line for line in lines if ",0,none," not in line))
    masked = data_of(page(make_rows(listed), listed, []))["rows"][2]["weights"]
    assert masked["operations"] == ["skip_connect", "none"]
    assert masked["cells"]["reduce"] == {
        "0 → 2": [[0.0, 0.1], []],
        "1 → 2": [[0.5, 0.6], [0.5, 0.6]],
    }
    csv.write_text(lines[0])
    assert data_of(page(make_rows(listed), listed, []))["rows"][2]["weights"] is None
    (runs / "search-darts-exp0.1-s0" / "architecture.csv").write_text("epoch\n1\n")
    assert data_of(page(make_rows(listed), listed, []))["rows"][2]["weights"] is None


# --- the command --------------------------------------------------------------------------------


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ltnas.report", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command(runs, tmp_path):
    done = command(runs, "--out", tmp_path / "ä out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == str(tmp_path / "ä out" / "index.html")
    assert "6 finished" in lines
    assert any(line.startswith("darts strong") and "90.00" in line for line in lines)
    assert any(line.startswith("note: fewer than 3 seeds") for line in lines)
    names = {path.name for path in (tmp_path / "ä out").iterdir()}
    assert names == {"report.md", "report.csv", "report.tex", "runs.csv", "index.html"}


def test_a_folder_that_is_not_there(runs, tmp_path):
    done = command(runs, tmp_path / "rnus")
    assert done.returncode == 2
    assert done.stderr.startswith(f"ltnas: {tmp_path}/rnus does not exist: give folders")


def test_a_name_that_is_too_long_for_a_folder(tmp_path):
    with pytest.raises(UserError, match=r"^x* does not exist: give folders"):
        report([Path("x" * 300)], tmp_path / "out")


def test_a_home_folder_that_is_not_there(runs):
    with pytest.raises(UserError, match=r"^--out=~nobody-here/x: the home folder of ~nobody-here"):
        report([runs], Path("~nobody-here/x"))


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    def interrupted(folders, out):
        raise KeyboardInterrupt

    monkeypatch.setattr(ltnas.report, "report", interrupted)
    monkeypatch.setattr(sys, "argv", ["ltnas.report", "runs"])
    with pytest.raises(SystemExit) as caught:
        ltnas.report.main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_nothing_to_report(tmp_path):
    done = command(tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"ltnas: no run in {tmp_path}: give a folder that contains runs, " + (
        "for example runs\n"
    )


def test_a_folder_that_cannot_be_made(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be created"):
        report([runs], tmp_path / "file")


def test_searches_alone_make_a_report_too(tmp_path):
    write(tmp_path, "search-darts-exp0.1-s0", SearchConfig(imbalance=Imbalance("exp", 0.1)), "d")
    path = report([tmp_path], tmp_path / "out")
    data = data_of(path.read_text())
    assert data["rows"] == []
    assert [search["name"] for search in data["searches"]] == ["d exp0.1 · search only"]


def test_a_search_with_a_training_is_not_shown_twice(runs):
    listed = find_runs([runs])
    assert data_of(page(make_rows(listed), listed, []))["searches"] == []
