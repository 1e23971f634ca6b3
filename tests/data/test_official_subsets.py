"""Long-tailed subsets, samplers and CutMix boxes, compared with values of official code."""

import numpy as np
import pytest
import torch
from official_inputs import COUNTS, numbers

from ltnas import config as c
from ltnas.data.mixing import cutmix
from ltnas.data.samplers import class_shares
from ltnas.data.subset import checksum, subset_indices, wanted_counts

IMAGES = np.arange(50_000)
LABELS = {10: (IMAGES * 7 + IMAGES // 10) % 10, 100: (IMAGES * 37 + IMAGES // 100) % 100}
"""Balanced labels by the number of classes."""
SUBSETS = """
10 exp 0.1 20431 09d2309082319607
10 exp 0.02 13996 ce8bb232edc3d22c
10 exp 0.01 12406 592b72f218684428
10 exp 0.005 11203 a98a7db0609ec3e2
10 step 0.1 27500 47f4a1f6bba64d0c
10 step 0.02 25500 44f26c792c407b23
10 step 0.01 25250 c4e8762b6c3e8f1b
10 step 0.005 25125 00d86d6d6f7c363a
100 exp 0.1 19573 58182d9197d61df5
100 exp 0.02 12608 981382c2e83e0811
100 exp 0.01 10847 aef1765e80625410
100 exp 0.005 9502 269f18be5e0c5294
100 step 0.1 27500 a25f4e41d61919e5
100 step 0.02 25500 79b3cae2678417e2
100 step 0.01 25250 6d7ab0d3dd25dbd5
100 step 0.005 25100 1be60f32f316ab54
"""


@pytest.mark.parametrize("line", SUBSETS.strip().splitlines())
def test_number_and_indices_of_the_kept_images(line):
    """Values of kaidic/LDAM-DRW, imbalance_cifar.py, with seed 0: images and their checksum."""
    classes, kind, factor, images, digits = line.split()
    wanted = wanted_counts(c.Imbalance(kind, float(factor)), 50_000, int(classes))
    kept = subset_indices(LABELS[int(classes)], wanted, 0)
    assert (len(kept), checksum(kept)) == (int(images), digits)


SAMPLERS = {
    "reverse": c.ReversedSampler(),  # megvii-research/BBN, lib/dataset/imbalance_cifar.py
    # zhangyongshun/BagofTricks-LT, lib/dataset/cao_cifar.py; its classes are drawn with a
    # probability of 0.1 for `balance`, and epoch 50 of 200 is shown for `progressive`
    "square": c.SquareRootSampler(),
    "balance": c.ClassBalancedSampler(),
    "progressive": c.ProgressiveSampler(),
}
SHARES = {
    ("exp0.1", "balance"): [0.1] * 10,
    ("exp0.01", "balance"): [0.1] * 10,
    ("exp0.1", "reverse"): numbers(
        "0.02445984628 0.03159370483 0.04080721768 0.05271518594 0.06809534042 "
        "0.08792180546 0.1135554609 0.1466417643 0.1896112115 0.2445984628"
    ),
    ("exp0.1", "square"): numbers(
        "0.1663902424 0.1464045041 0.1288208688 0.113340949 0.09972315691 "
        "0.0877619809 0.0772237174 0.06795569799 0.05976166787 0.05261721464"
    ),
    ("exp0.1", "progressive"): numbers(
        "0.2085446136 0.1671002398 0.1350166414 0.1101647007 0.0909292252 "
        "0.0760621115 0.06453550976 0.05561524154 0.04867725515 0.04335446136"
    ),
    ("exp0.01", "reverse"): numbers(
        "0.004023649879 0.006712795927 0.01120169788 0.0186798973 0.03119108433 "
        "0.05198514055 0.08671659221 0.1447356071 0.2423885469 0.4023649879"
    ),
    ("exp0.01", "square"): numbers(
        "0.2447375644 0.1894780921 0.1466792895 0.1135856541 0.08790133861 "
        "0.06808808411 0.05271808475 0.04080590664 0.03153222942 0.02447375644"
    ),
    ("exp0.01", "progressive"): numbers(
        "0.3272730937 0.2061824923 0.1335764952 0.09010962438 0.06399322908 "
        "0.04839593745 0.03902547155 0.033403192 0.03001773335 0.02802273094"
    ),
}


@pytest.mark.parametrize(("counts", "name"), SHARES)
def test_class_probabilities_of_samplers(counts, name):
    shares = class_shares(SAMPLERS[name], torch.tensor(COUNTS[counts]), 50 / 200)
    assert shares.tolist() == pytest.approx(SHARES[counts, name], rel=1e-9)


@pytest.mark.parametrize(
    ("share", "centre", "theirs", "ours"),
    [
        (0.40, (16, 16), (4, 28, 4, 28), (4, 29, 4, 29)),
        (0.70, (3, 30), (0, 12, 21, 32), (0, 12, 21, 32)),
        (0.05, (10, 20), (0, 26, 4, 32), (0, 26, 5, 32)),
        (0.96, (31, 0), (28, 32, 0, 3), (28, 32, 0, 3)),
    ],
)
def test_the_label_share_of_cutmix_is_that_of_the_pixels(share, centre, theirs, ours):
    """ynu-yangpeng/GLMC keeps the drawn share for the label, however much of a box is cut off.

    Its boxes (first and last row and column) have sides that are rounded up and then made even;
    ours are rounded to the nearest pixel. Theirs are values of the authors' `rand_bbox`.
    """
    draws = (torch.tensor([value]) for value in (share, *((x + 0.5) / 32 for x in centre)))
    mixed, kept = cutmix(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32), *draws)
    rows, columns = (mixed[0, 0].amax(axis).nonzero()[:, 0] for axis in (1, 0))
    box = (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    assert tuple(int(value) for value in box) == ours
    top, bottom, left, right = ours
    assert float(kept) == pytest.approx(1 - (bottom - top) * (right - left) / 1024)
    # Where a box is cut off, the image keeps more than the share that theirs gives to its label.
    assert (float(kept) - share > 0.02) is bool({0, 32} & set(ours))
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 1
