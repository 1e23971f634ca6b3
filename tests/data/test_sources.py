"""Choice of the source, and checks of what every source returns."""

import pytest

from ltnas.config import Data
from ltnas.data.sources import load_source
from ltnas.errors import UserError


def test_an_unknown_source_is_refused():
    data = Data("digits")
    data.source = "imagenet"  # the constructor would refuse it, too
    with pytest.raises(ValueError, match="imagenet is not a value on the data axis"):
        load_source(data)


@pytest.mark.parametrize("source", ["folder", "cifar10", "cifar10_parquet"])
def test_a_home_folder_that_is_not_there(source):
    with pytest.raises(UserError, match=r"^data.root=~nobody-here: the home folder of"):
        load_source(Data(source, "~nobody-here"))


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (Data("folder", "photos"), "folder"),
        (Data("torchvision", name="SVHN"), "torchvision SVHN"),
        (Data("parquet", hub="owner/name"), "parquet owner/name"),
    ],
)
def test_results_say_which_data_set_of_a_source_was_read(data, title):
    assert data.title == title
