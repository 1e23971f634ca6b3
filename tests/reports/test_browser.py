"""The page in a browser: it opens, draws and sorts."""

import json
import os
import re
import shutil
import subprocess

import pytest
from PIL import Image
from test_classes import with_classes
from test_report import runs, trained, write_weights  # noqa: F401 - a fixture

from ltnas.report import report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)

# A browser may be missing on a developer's machine, but never in CI.
pytestmark = pytest.mark.skipif(
    BROWSER is None and "CI" not in os.environ, reason="no Chromium; .ci/run installs one"
)


def browse(page, *options):
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000")
    command = [BROWSER, *flags, f"--user-data-dir={page.parent}/profile", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture
def page(runs, tmp_path):  # noqa: F811
    """Page of a report over a few runs."""
    return report([runs], tmp_path / "out")


def first_cells(dom):
    body = dom.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"<tr[^>]*><td[^>]*><i[^>]*></i>(.*?)</td>", body)


def after(page, script, *options):
    """Return the DOM of the page after a script that is appended to it."""
    changed = page.with_name("changed.html")
    text = page.read_text().replace("</body>", f"<script type=module>{script}</script></body>")
    changed.write_text(text)
    return browse(changed, "--dump-dom", *options)


def test_it_draws_its_table_and_curves(page):
    dom = browse(page, "--dump-dom")
    assert 'data-ready="true"' in dom
    assert first_cells(dom) == ["darts strong", "fairdarts_ssl", "darts"]
    curves = dom.partition('id="learning"')[2].partition("</svg>")[0]
    assert curves.count("<path") == 3


def test_a_heading_sorts_one_way_and_then_the_other(page):
    click = "document.querySelectorAll('th button')[3].click();"
    assert first_cells(after(page, click)) == ["darts strong", "fairdarts_ssl", "darts"]
    dom = after(page, click * 2)
    assert first_cells(dom) == ["darts", "fairdarts_ssl", "darts strong"]
    assert 'aria-sort="ascending"' in dom


def test_a_curve_tells_its_numbers(page):
    script = (
        "const s = document.querySelector('#learning svg'), b = s.getBoundingClientRect();"
        "s.on{}({{clientX: b.right - 1, clientY: b.top + 1}});"
    )
    for event in ("pointermove", "pointerdown"):  # a mouse, a finger
        dom = after(page, script.format(event))
        tip = re.search(r'<p class="tip">(.*?)</p>', dom)[1]
        assert tip == "darts strong · exp0.1, epoch 2: 90.00 %"
        assert dom.count('class="on"') == 1


def test_a_row_can_be_reached_by_keys(page):
    dom = after(page, "document.querySelectorAll('tbody tr')[1].focus();")
    tip = re.search(r'<p class="tip">(.*?)</p>', dom)[1]
    assert tip == "fairdarts_ssl · exp0.1, epoch 2: 85.00 %"


def test_another_quantity_can_be_drawn(page):
    script = "const q = document.getElementById('quantity'); q.value = 3; q.onchange();"
    assert "No run has this quantity." in after(page, script)


def test_mixing_weights_are_drawn_when_they_are_opened(runs, tmp_path):  # noqa: F811
    write_weights(runs / "search-darts-exp0.1-s0", lambda *_: 0.5)
    made = report([runs], tmp_path / "out")
    dom = after(
        made, "[...document.querySelectorAll('.card details')].forEach(d => d.open = true);"
    )
    figures = re.findall(r"<figcaption>(\w+ cell)</figcaption>", dom)
    assert figures == ["normal cell", "reduction cell"]
    cards = dom.partition('class="cards"')[2]
    assert cards.count("<path") == 4
    assert "<option>1 → 2</option>" in cards


def test_the_mean_of_mixing_weights_is_over_the_edges_that_have_the_operation(runs, tmp_path):  # noqa: F811
    folder = runs / "search-darts-exp0.1-s0"
    write_weights(folder, lambda epoch, source: 0.25 + 0.5 * source)
    lines = (folder / "architecture.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines if ",0,none," not in line and "reduce,2,1,none" not in line]
    (folder / "architecture.csv").write_text("".join(kept))
    made = report([runs], tmp_path / "out")
    script = "[...document.querySelectorAll('.card details')].forEach(d => d.open = true);"
    dom = after(made, script).partition('class="cards"')[2]
    ends = re.findall(r'<path stroke="[^"]*" d="(?:M[^"]* ([\d.]+))?"', dom)
    assert len(ends) == 4
    assert "NaN" not in dom
    # Normal cell: skip connections are 0.5 in the mean, none is 0.75 on the only edge that has it.
    skip, none = (float(end) for end in ends[:2])
    assert none < skip  # higher up
    # Reduction cell: no edge has none.
    assert ends[2]
    assert ends[3] == ""


def test_pruning_and_candidates_of_a_selection_are_shown_when_they_are_opened(runs, tmp_path):  # noqa: F811
    folder = runs / "search-darts-exp0.1-s0"
    Image.new("RGB", (4, 2)).save(folder / "pruning.png")
    records = [
        {
            **{
                "cell": "normal",
                "node": 2,
                "source": source,
                "operation": name,
                "kept": bool(loss),
            },
            **{"accuracy_without": 0.5, "loss_without": float(loss)},
        }
        for source in (0, 1)
        for loss, name in enumerate(("skip_connect", "sep_conv_3x3"))
    ]
    (folder / "selection.json").write_text(json.dumps(records))
    script = (
        "[...document.querySelectorAll('.card details')].forEach(d => d.open = true);"
        "setTimeout(() => { const s = document.querySelector('.card select');"
        "s.selectedIndex = 1; s.onchange(); }, 100);"
    )
    dom = after(report([runs], tmp_path / "out"), script).partition('class="cards"')[2]
    assert re.search(
        r'<img src="data:image/png;base64,[^"]+" alt="win rates of the operations', dom
    )
    assert "normal cell, edge 0 → 2</option>" in dom
    lines = re.findall(r"<td>(.*?)</td><td>(.*?)</td><td>50.00</td><td>(.*?)</td>", dom)
    assert lines == [("1 → 2 ✓", "sep conv 3x3", "1.000"), ("1 → 2", "skip connect", "0.000")]


@pytest.fixture
def many_classes(tmp_path):
    """Page of a training of 1,000 classes and one of ten, with its confusion matrix."""
    accuracies = [(13 * label % 1000) / 1000 for label in range(1000)]
    with_classes(trained(tmp_path / "runs", "darts", 0, 0.9), accuracies)
    matrix = [[9 if true == label else true for label in range(10)] for true in range(10)]
    with_classes(trained(tmp_path / "runs", "gdas", 0, 0.5), [0.5] * 10, matrix=matrix)
    return report([tmp_path / "runs"], tmp_path / "out")


def listed(dom):
    """Number of classes by the page's words, and the rows of its table of classes."""
    section = dom.partition('id="classes"')[2].partition("</section>")[0]
    body = section.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in body.split("</tr>")[:-1]]
    return re.search(r'<p class="tip">(.*?)</p>', section)[1], rows, "<canvas" in section


def test_a_thousand_classes_are_sorted_and_searched(many_classes):
    words, rows, has_matrix = listed(browse(many_classes, "--dump-dom"))
    assert words == "the first 200 of 1000 classes"
    assert len(rows) == 200
    assert rows[0] == ["species 0", "2,000", "many", "0.00"]  # the worst first
    assert not has_matrix
    click = "document.querySelectorAll('#classes th button')[{}].click();"
    _, rows, _ = listed(after(many_classes, click.format(3)))
    assert rows[0][3] == "99.90"
    _, rows, _ = listed(after(many_classes, click.format(1) * 2))
    assert rows[0][:2] == ["species 999", "1,001"]
    find = "const f = document.querySelector('#classes input'); f.value = '{}'; f.oninput();"
    words, rows, _ = listed(after(many_classes, find.format(" Species 99")))
    assert words == "11 classes (of 1000)"
    assert {row[0] for row in rows} == {"species 99", *(f"species 99{i}" for i in range(10))}
    words, rows, _ = listed(after(many_classes, find.format("many")))
    assert (words, len(rows)) == ("1 classes (of 1000)", 1)


def test_ten_classes_have_a_confusion_matrix_that_tells_its_numbers(many_classes):
    script = (
        "const m = document.querySelector('#classes select'); m.selectedIndex = 1; m.onchange();"
        "const c = document.querySelector('canvas'), b = c.getBoundingClientRect();"
        "c.onpointermove({clientX: b.left + 0.15 * b.width, clientY: b.top + 0.75 * b.height});"
    )
    dom = after(many_classes, script)
    words, rows, has_matrix = listed(dom)
    assert (words, len(rows), has_matrix) == ("10 classes", 10, True)
    assert "species 7 predicted as species 1: 7 images" in dom


def test_a_page_without_results_by_class_has_no_table_of_them(page):
    assert 'id="classes"' not in browse(page, "--dump-dom")


@pytest.mark.parametrize("size", [(1200, 1600), (420, 1600)], ids=["desk", "phone"])
def test_a_picture_of_it_is_not_empty_and_not_cut(page, size):
    picture = page.with_name("page.png")
    browse(page, f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}")
    image = Image.open(picture).convert("L")
    assert image.size == size
    lightest = max(count for count, _ in image.getcolors())
    assert 0.005 < 1 - lightest / (size[0] * size[1]) < 0.5
    texts = "[...document.querySelectorAll('#learning svg text')]"
    cut = f"document.title = {texts}.some(text => text.getBBox().x < 0);"
    assert "<title>false</title>" in after(page, cut, f"--window-size={size[0]},{size[1]}")
    wide = after(page, "document.title = document.documentElement.scrollWidth > innerWidth;")
    assert "<title>false</title>" in wide
