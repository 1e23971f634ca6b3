"""Words of a command line: their order, and their quotes for Hydra and for a shell."""

import shlex
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ltnas.cli.quoting import may_be_structure, quoted_word
from ltnas.cli.words import flags_first, unknown_flags

TEXTS = (
    *("照片", "a#b", "it's", "~/photos", "a=b", "photos (1)", "photos(1)", "größe", "a;b", "a&b"),
    *('say "x"', "a`b`", "price $5 (new)", "C:\\old (1)\\", "a,b", "wow!", "'", "[x] y", " (a)"),
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_quoted_word_gives_the_text_through_a_shell_and_hydra(text):
    typed = quoted_word(f"data.root={text}")
    done = subprocess.run(
        ["bash", "-c", f"printf %s {typed}"], capture_output=True, text=True, check=True
    )
    assert shlex.split(typed) == [done.stdout]
    override = OverridesParser.create().parse_override(done.stdout)
    assert (override.key_or_group, override.value()) == ("data.root", text)


def test_a_quoted_word_is_as_short_as_can_be():
    assert quoted_word("data.root=photos (1)") == "\"data.root='photos (1)'\""


@pytest.mark.parametrize("word", ["epochs", "=3", "däta=3", "a b c=(1)"])
def test_a_word_with_a_wrong_key_has_no_quoted_form(word):
    assert quoted_word(word) is None


@pytest.mark.parametrize(
    ("value", "is_structure"),
    [("[none", True), ("{a", True), ("range(1,b)", True), ("photos(1)", False), ("(1)", False)],
)
def test_values_that_look_like_a_structure(value, is_structure):
    assert may_be_structure(f"key={value}") is is_structure


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        ("a=1 --config-dir D experiment=mine", "--config-dir D a=1 experiment=mine"),
        ("a=1 --config-dir=D experiment=mine", "--config-dir=D a=1 experiment=mine"),
        ("a=1 -cd D b=2 -cn N -cp P c=3", "-cd D -cn N -cp P a=1 b=2 c=3"),
        ("a=1 --config-d D b=2", "--config-d D a=1 b=2"),
        ("a=1 -m b=2 --resolve c=3", "-m --resolve a=1 b=2 c=3"),
        ("a=1 --cfg job -p weights b=2", "--cfg job -p weights a=1 b=2"),
        ("a=1 --package weights -c all b=2", "--package weights -c all a=1 b=2"),
        ("a=1 --info defaults b=2", "--info defaults a=1 b=2"),
        ("a=1 --info b=2", "--info all a=1 b=2"),
        ("a=1 -i", "-i all a=1"),
        ("a=1 --experimental-rerun F b=2", "--experimental-rerun F a=1 b=2"),
        ("a=1 b=2", "a=1 b=2"),
        ("--config-dir", "--config-dir"),
        ("", ""),
    ],
)
def test_flags_come_first_with_their_values(words, ordered):
    assert flags_first(words.split()) == ordered.split()


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        ("--scheme=darts --epochs=1", ["scheme=darts", "epochs=1"]),
        ("--epochs 1 seed=2 --learning-rate=0.1", ["epochs=1", "learning_rate=0.1"]),
        ("--stop-on-collapse --data digits", ["stop_on_collapse=VALUE", "data=digits"]),
        ("--stop-on-collapse seed=1", ["stop_on_collapse=VALUE"]),
        ("--cfg job --multirun --info -m -cnfile --config-dir=x --config-d x --", []),
        ("seed=1 -h --version --resolve", []),
    ],
)
def test_keys_typed_as_flags(words, typed):
    assert unknown_flags(words.split()) == typed
