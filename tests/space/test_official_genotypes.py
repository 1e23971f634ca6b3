"""Genotypes in texts of other code, which are read and never run."""

import pytest

from ltnas.errors import UserError
from ltnas.space.genotype import load_genotype
from ltnas.space.official_genotypes import genotype_in_text

NORMAL = (
    "[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)]"
)
REDUCE = (
    "[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)]"
)
DARTS_V2 = (
    f"Genotype(normal={NORMAL}, normal_concat=range(2, 6), reduce={REDUCE}, "
    "reduce_concat=range(2, 6))"
)
OTHER = DARTS_V2.replace("sep_conv_3x3", "skip_connect")

TEXTS = {
    "literal": DARTS_V2,
    "assigned, lists": "MINE = " + DARTS_V2.replace("range(2, 6)", "[2, 3, 4, 5]"),
    "a file of genotypes": (
        "from collections import namedtuple\n"
        "Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')\n"
        f"FIRST = {OTHER}\nDARTS = {DARTS_V2}\nprint(DARTS)\n"
    ),
    "the last line of a log": (
        f"2019-03-02 10:01:01,001 epoch 0 lr 2.5e-02\n2019 genotype = {OTHER}\n"
        f"2019-03-02 10:40:12,345 genotype = {DARTS_V2} (in 3 h)\nvalid_acc 88.1\n"
    ),
    "without names": f"Genotype({NORMAL}, range(2, 6), {REDUCE}, list(range(2, 6)))",
    "over several lines": DARTS_V2.replace(", ", ",\n   "),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_the_second_order_genotype_of_darts(tmp_path, name):
    path = tmp_path / "genotype.txt"
    path.write_text(TEXTS[name])
    genotype, content = load_genotype(path)
    assert genotype == load_genotype("darts_v2")[0]
    assert set(content) == {"normal", "reduce"}


def test_triples_of_fairdarts_and_nodes_without_an_input(tmp_path):
    path = tmp_path / "fair.txt"
    path.write_text(
        "Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('max_pool_3x3', 4, 0), "
        "('sep_conv_3x3', 5, 0)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 2, 0), "
        "('avg_pool_3x3', 2, 1), ('avg_pool_3x3', 3, 0), ('dil_conv_5x5', 3, 1), "
        "('avg_pool_3x3', 4, 0), ('sep_conv_5x5', 4, 1), ('skip_connect', 5, 0), "
        "('skip_connect', 5, 1)], reduce_concat=range(2, 6))"
    )
    assert load_genotype(path)[0] == load_genotype("fairdarts_a")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "nothing of the kind",
            "is no JSON (Expecting value: line 1 column 1 (char 0)) and has no",
        ),
        (DARTS_V2.replace("dil_conv_3x3", "conv_7x1_1x7"), "operation 'conv_7x1_1x7' is not known"),
        (DARTS_V2[:-1], "its last Genotype(...) is not complete"),
        (DARTS_V2.replace("reduce=", "reduced="), "has no reduce: give"),
        (DARTS_V2.replace("('skip_connect', 0)", "('skip_connect',)", 1), "is not a pair"),
        (DARTS_V2.replace("('skip_connect', 0)", "5", 1), "5 is not a pair"),
        (DARTS_V2.replace("('skip_connect', 0)", "('skip_connect', [1], 0)", 1), "the edge ["),
        (DARTS_V2.replace("range(2, 6)", "range(2, 6000000000)"), "range(2, 6000000000), which is"),
        ("Genotype(normal=__import__('os').system('false'), reduce=[])", "contains code, __import"),
        ("Genotype(normal=[x for x in ()], reduce=[])", "contains code, [x for x in ()]"),
        ("Genotype(**PARTS)", "has no normal"),
        ("(" * 3000 + "Genotype(" + "(" * 3000 + ")" * 3001, "is not complete"),
    ],
)
def test_texts_that_are_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "genotype.txt"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_genotype(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"genotype={path}")
    assert "\n" not in str(caught.value)


def test_nothing_in_a_text_is_run(tmp_path):
    path = tmp_path / "made"
    text = f"Genotype(normal=open({str(path)!r}, 'w'), reduce=[])"
    with pytest.raises(UserError, match="which is not run"):
        genotype_in_text(text, "text")
    assert not path.exists()
