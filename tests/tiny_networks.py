"""Networks for tests of proxies, small enough to be computed by hand."""

import torch
from torch import nn

from ltnas.models.network import Network
from ltnas.proxies.batch import ProxyBatch
from ltnas.space.genotype import load_genotype


def pixels(*rows, labels=None):
    """A batch of images with three channels and one pixel."""
    images = torch.tensor(rows, dtype=torch.float32).view(-1, 3, 1, 1)
    return ProxyBatch(images, torch.tensor(labels or [0] * len(rows)), 2)


def linear(*rows):
    """A linear layer of flattened images, with these weights and no bias."""
    weight = torch.tensor(rows, dtype=torch.float32)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def flat(*layers):
    """Layers behind a flattening."""
    return nn.Sequential(nn.Flatten(), *layers)


def random_batch(images=8, side=8, classes=4, seed=0):
    """A batch of noise."""
    generator = torch.Generator().manual_seed(seed)
    return ProxyBatch(
        torch.randn(images, 3, side, side, generator=generator),
        torch.randint(classes, (images,), generator=generator),
        classes,
    )


def cells(genotype="darts_v2", channels=4, number=3, classes=4):
    """A network of cells."""
    torch.manual_seed(0)
    return Network(load_genotype(genotype)[0], channels, number, classes, auxiliary=False)
