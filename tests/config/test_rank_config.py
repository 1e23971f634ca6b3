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


def test_refusals_of_a_command_line_are_one_line():
    assert refusal("rank").startswith("there is nothing to rank")
    assert refusal("rank", "random=1", "proxies=[nwott]").startswith("proxies=nwott is not known")


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("genotype=a,b", "genotype=[a,b]"),
        ("genotype=runs/x", "genotype=[runs/x]"),
        ("genotype=[a,b]", "genotype=[a,b]"),
        ("proxies=", "proxies=[]"),
        ("seed=1,2", "seed=1,2"),
        ("genotype=My run (1),~/é.json", "genotype=['My run (1)','~/é.json']"),
        ("genotype='a, b.json',c", "genotype=['a, b.json',c]"),
        ("genotype", "genotype"),
        ("--cfg", "--cfg"),
    ],
)
def test_lists_are_typed_like_other_values(word, typed):
    assert with_lists([word], ["genotype", "proxies"]) == [typed]
