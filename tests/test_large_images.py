"""Searches, trainings and rankings of large images, for which the stem is chosen by the size."""

import json

import pytest
from composed import composed, settings
from conftest import TINY
from safetensors.torch import load_file

from ltnas.data.long_tail import load_long_tail
from ltnas.errors import UserError
from ltnas.models.saved import load_network
from ltnas.pipeline import check_sizes
from ltnas.rank import rank
from ltnas.retrain import retrain
from ltnas.search import search
from ltnas.space.edge_masks import edge_masks
from ltnas.training.search_parts import build_search
from ltnas.training.zero_shot import probed_space

pytestmark = pytest.mark.usefixtures("no_pictures")
LARGE = ("data.image_size=96", "channels=2")
SHORT = ("epochs=1", "limit_batches=1", "limit_test_batches=1", "batch_size=8")


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_a_search_and_a_training_take_the_imagenet_stem(tmp_path):
    words = (*LARGE, *SHORT, f"runs={tmp_path}")
    found = search(composed("search", *words, "space.nodes=2"))
    assert read(found, "metrics.json")["stem"] == "imagenet"
    assert read(found, "fingerprint.json")["stem"] == "imagenet"
    folder = retrain(composed("retrain", *words, f"genotype={found}", "auxiliary=0"))
    assert read(folder, "network.json")["stem"] == "imagenet"
    assert "stem1.1.weight" in load_file(folder / "network.safetensors")
    assert load_network(folder).stem1[1].out_channels == 2


@pytest.mark.parametrize(("words", "stem"), [((), "imagenet"), (("stem=cifar",), "cifar")])
def test_a_typed_stem_takes_precedence(words, stem):
    config = composed("search", *LARGE, *words, "space.nodes=2")
    long_tail = load_long_tail(config.data, config.imbalance)
    module = build_search(config, "cpu", long_tail)
    assert module.network.supernet.stem_name == stem
    masks = edge_masks(config.space, config.macro.kinds)
    space = probed_space(config, masks, channels=2, cells=3, long_tail=long_tail)
    assert space.size.stem == stem


def test_a_ranking_names_the_stem(tmp_path):
    words = (*TINY[:-2], *LARGE, "batch_size=4", "proxies=[parameters]", "random=1")
    parameters = {}
    for stem in ("auto", "imagenet", "cifar"):
        folder = rank(settings("rank", *words, f"stem={stem}", f"out={tmp_path / stem}"))
        parameters[stem] = (folder / "rank.csv").read_text()
        wanted = "cifar" if stem == "cifar" else "imagenet"
        assert read(folder, "rank.json")["network"]["stem"] == wanted
    assert parameters["auto"] == parameters["imagenet"] != parameters["cifar"]


def test_sizes_that_the_chosen_stem_cannot_halve_are_refused():
    config = composed("search", "data.image_size=100", "channels=2")
    with pytest.raises(UserError, match="a multiple of 32 and at least 64, or stem=cifar"):
        search(config)
    training = composed("retrain", *LARGE, "genotype=darts_v2")
    with pytest.raises(UserError, match="leave 3x3 for the auxiliary classifier"):
        check_sizes(composed("search", *LARGE), training)
    check_sizes(
        composed("search", *LARGE), composed("retrain", *LARGE, *("genotype=a", "stem=cifar"))
    )
