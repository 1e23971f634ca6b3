"""Splits that names of files and folders stand for."""

import pytest

from ltnas.data.sources.split_names import is_partial, split_of


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("train-00000-of-00002", "train"), ("ImageNet_LT_train", "train"), ("Training", "train")),
        *(("val2018", "validation"), ("valid", "validation"), ("dev", "validation")),
        *(("validation-0", "validation"), ("test", "test"), ("cifar10-test", "test")),
        *(("train_val", "train"), ("partial-train", "train"), ("trainval", "train")),
        *((name, None) for name in ("metadata", "0000", "trains", "latest", "device", "invalid")),
    ],
)
def test_a_word_of_the_name_tells_the_split(name, split):
    assert split_of(name) == split


def test_names_tell_that_a_split_is_not_whole():
    assert is_partial("partial-train")
    assert is_partial("train-00000-of-00001-partial")
    assert not any(map(is_partial, ("train", "partially-labelled-train", "impartial")))
