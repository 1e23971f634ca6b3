"""Cross-entropy with auxiliary logits."""

import torch
from torch import nn

from ltnas.data.stream import Batch
from ltnas.objectives.cross_entropy import CrossEntropy


class TwoHeads(nn.Module):
    """Gives fixed logits of a main and an auxiliary classifier."""

    def __init__(self, main, auxiliary):
        super().__init__()
        self.main, self.auxiliary = main, auxiliary

    def predictions(self, images):
        return (self.main,) if self.auxiliary is None else (self.main, self.auxiliary)


def formula(logits, labels):
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -shares[torch.arange(len(labels)), labels].log().mean()


def test_auxiliary_logits_count_by_their_weight():
    main, auxiliary = torch.randn(2, 6, 4, dtype=torch.float64)
    batch = Batch((torch.zeros(6, 3, 8, 8),), torch.tensor([0, 1, 2, 3, 0, 1]))
    losses = CrossEntropy(0.4)(TwoHeads(main, auxiliary), batch)
    wanted = formula(main, batch.labels) + 0.4 * formula(auxiliary, batch.labels)
    torch.testing.assert_close(losses.objective, wanted)
    assert losses.probe is None
    assert losses.logits.equal(main)
    alone = CrossEntropy(0.4)(TwoHeads(main, None), batch)
    torch.testing.assert_close(alone.objective, formula(main, batch.labels))
