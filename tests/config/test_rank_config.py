"""Settings of a ranking: words of the command line, and refusals in one line."""

import pytest
from composed import refusal, settings

from ltnas import config as c
from ltnas.cli.words import with_lists


def test_defaults():
    config = settings("rank", "genotype=[darts_v2]")
    assert config == c.RankConfig(
        genotype=["darts_v2"], data=config.data, imbalance=c.Imbalance("exp", 0.1)
    )
    assert config.data.source == "cifar10"
    assert (config.channels, config.cells, config.batch_size, config.batch) == (
        *(16, 8, 64, "balanced"),
    )
    assert config.names == list(c.PROXY_NAMES)


def test_chosen_proxies_keep_the_order_of_tables():
    config = settings("rank", "random=2", "proxies=[macs,snip,macs]", "space=s1")
    assert config.names == ["snip", "macs"]
    assert config.space.normal_edges is not None


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ([], "there is nothing to rank"),
        (["random=-1"], "random=-1 must be 0 or more"),
        (["random=1", "proxies=[nwott]"], "proxies=nwott is not known"),
        (["random=1", "proxies=[]"], "proxies=[] is empty"),
        (["random=1", "batch=all"], "batch=all is not known"),
        (["random=1", "batch_size=3"], "batch_size=3: proxies compare"),
        (["random=1", "channels=3"], "channels=3 must be even"),
        (["random=1", "repeats=0"], "repeats=0 must be 1 or more"),
        (["random=1", "cells=0"], "cells=0 must be 1 or more"),
        (["random=1", "stem=big"], "stem=big is not known"),
        (["random=1", "seed=-1"], "seed=-1 must lie in"),
        (["random=1", "trainer.devices=2"], "trainer.devices=2: a ranking uses one device"),
        (["genotype=['']"], "genotype=[''] has an empty name"),
    ],
)
def test_refusals(words, start):
    assert refusal("rank", *words).startswith(start)


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("genotype=a,b", "genotype=[a,b]"),
        ("genotype=runs/x", "genotype=[runs/x]"),
        ("genotype=[a,b]", "genotype=[a,b]"),
        ("proxies=", "proxies=[]"),
        ("seed=1,2", "seed=1,2"),
        ("genotype", "genotype"),
        ("--cfg", "--cfg"),
    ],
)
def test_lists_are_typed_like_other_values(word, typed):
    assert with_lists([word], ["genotype", "proxies"]) == [typed]
