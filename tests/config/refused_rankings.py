"""Refused settings of rankings; see `test_refusals`."""

from ltnas import config as c


def ranking(**settings):
    return c.RankConfig(**{"random": 1, **settings})


REFUSED = {
    "nothing to rank": (lambda: c.RankConfig(), "there is nothing to rank", "random=20"),
    "no name": (lambda: c.RankConfig(genotype=[""]), "genotype=['']", "leave it out"),
    "proxy": (lambda: ranking(proxies=["nwott"]), "proxies=nwott", "all, grad_norm, snip"),
    "no proxy": (lambda: ranking(proxies=[]), "proxies=[]", "proxies=all"),
    "kind of batch": (lambda: ranking(batch="all"), "batch=all", "balanced, natural"),
    "rank stem": (lambda: ranking(stem="big"), "stem=big", "auto, cifar, imagenet"),
    "rank seed": (lambda: ranking(seed=-1), "seed=-1", "[0, "),
    "random genotypes": (lambda: ranking(random=-1), "random=-1", "0 or more"),
    "repeats": (lambda: ranking(repeats=0), "repeats=0", "1 or more"),
    "rank batch": (lambda: ranking(batch_size=3), "batch_size=3", "4 or more"),
    "rank channels": (lambda: ranking(channels=3), "channels=3", "must be even"),
    "rank devices": (
        lambda: ranking(trainer=c.Trainer(devices=2)),
        "trainer.devices=2",
        "take trainer.devices=1",
    ),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""
