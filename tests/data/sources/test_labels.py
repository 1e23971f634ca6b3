"""Numbers of classes for labels of any kind."""

import pytest

from ltnas.data.sources.labels import class_names, numbered


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["10", "9", "-1", "9"], ("-1", "9", "10")),
        (["b", "a", "B"], ("B", "a", "b")),
        (["10", "9", "x"], ("10", "9", "x")),
    ],
)
def test_classes_are_in_order(labels, names):
    assert class_names(labels) == names


def test_every_label_of_any_split_is_a_class():
    names, numbers = numbered({"train": ["7", "3"], "test": ["5", "7"]})
    assert names == ("3", "5", "7")
    assert numbers == {"train": [2, 0], "test": [1, 2]}
