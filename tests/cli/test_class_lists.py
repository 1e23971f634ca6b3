"""Lines about classes: few classes one by one, a thousand in groups."""

import io

import pytest
from rich.console import Console

from ltnas.cli.class_lists import count_bars, sections, shortage_notes
from ltnas.cli.console import print_results
from ltnas.data.long_tail import shot_groups

NAMES = [f"species number {label}" for label in range(1000)]
COUNTS = [max(5, round(1280 * (5 / 1280) ** (label / 999))) for label in range(1000)]


def test_few_classes_have_a_bar_each():
    lines = count_bars(["cat", "hippo"], [40, 10], {"many": [0], "medium": [], "few": [1]})
    assert lines == [f"cat   {'█' * 36} 40 many", f"hippo {'█' * 9} 10 few"]


def test_a_thousand_classes_have_twenty_bars():
    # Classes of a source are in any order.
    order = [(7 * label) % 1000 for label in range(1000)]
    counts = [COUNTS[label] for label in order]
    title, *bars = count_bars(NAMES, counts, shot_groups(counts, 100, 20))
    assert title.startswith("1,000 classes")
    assert len(bars) == 20
    assert bars[0].startswith("1-50      █")
    assert bars[0].endswith(f" 1,280 to {COUNTS[49]:,} many")
    assert bars[-1] == f"951-1000  █ {COUNTS[950]} to 5 few"
    assert [len(bar) for bar in bars[:3]] == sorted((len(bar) for bar in bars[:3]), reverse=True)
    assert max(len(bar) for bar in bars) <= 76
    assert sum("many, medium" in bar for bar in bars) == 1


def test_a_range_of_equal_sizes_has_one_number():
    bars = count_bars(NAMES[:40], [7] * 40, {"many": list(range(40))})[1:]
    assert len(bars) == 20
    assert bars[0].endswith("█ 7 many")


@pytest.mark.parametrize(("short", "lines"), [(0, 0), (5, 5), (6, 6), (900, 6)])
def test_notes_on_classes_without_enough_images_are_few(short, lines):
    counts = [10] * short + [50] * (1000 - short)
    notes = shortage_notes(NAMES, counts, [50] * 1000)
    assert len(notes) == lines
    if short > 5:
        assert notes[-1] == f"and {short - 5} more such classes"
    if short:
        assert notes[0] == "species number 0 has 10 of the 50 images that the rule asks for"


def test_worst_and_best_of_many_classes():
    accuracies = dict.fromkeys(NAMES, 0.5) | {NAMES[3]: None, NAMES[8]: 0.9, NAMES[6]: 0.1}
    (worst_title, worst), (best_title, best) = sections(accuracies)
    assert (worst_title, best_title) == ("worst of 1,000 classes", "best of 1,000 classes")
    assert [name.split()[-1] for name in worst] == ["6", "0", "1", "2", "4"]
    assert [name.split()[-1] for name in best] == ["8", "0", "1", "2", "4"]
    assert sections(dict.fromkeys(NAMES[:20], 0.5)) == [("", NAMES[:20])]


def test_results_of_a_thousand_classes_fit_a_terminal():
    keys = ("accuracy", "many", "medium", "few", "macro_accuracy", "macro_f1", "calibration_error")
    per_class = {name: label / 1000 for label, name in enumerate(NAMES)}
    report = dict.fromkeys(keys, 0.5) | {"per_class": per_class}
    console = Console(width=80, file=io.StringIO())
    print_results(console, {"balanced": report, "long_tailed": report}, COUNTS)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 21
    assert max(len(line.rstrip()) for line in lines) <= 80
    at = next(number for number, line in enumerate(lines) if line.startswith("worst of 1,000"))
    assert lines[at + 1].split() == ["species", "number", "0", "1,280", "0.00", "0.00"]
    at = next(number for number, line in enumerate(lines) if line.startswith("best of 1,000"))
    assert lines[at + 1].split()[-3:] == ["5", "99.90", "99.90"]
