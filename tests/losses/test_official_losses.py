"""Losses for long tails and their gradients, compared with values of official code.

Each value was printed by the authors' code, run in float64 on the logits, labels and counts of
`official_inputs`. The repositories are named with the objectives. Functions of TensorFlow were
replaced by those of PyTorch, and tensors for a GPU by those for a CPU.
"""

import pytest
import torch
import torch.nn.functional as F
from official_inputs import COUNTS, IMAGE, LABELS, LOGITS, norm, numbers

from ltnas import config as c
from ltnas.losses.classification import log_priors, smoothing
from ltnas.losses.weights import class_weights
from ltnas.objectives.build import build_objective

# The conventions of the repositories for the sum of weighted losses.
BY_BATCH_SIZE = {"weight_normalisation": "classes"}
BY_WEIGHTS = {"weight_normalisation": "batch"}
DEFERRED = {"reweight": "effective_number", "start": 0.8, **BY_WEIGHTS}

OBJECTIVES = {
    # kaidic/LDAM-DRW, losses.py and cifar_train.py; logits are 30 times the cosines
    "cross_entropy": c.CrossEntropy(),
    "focal_1": c.Focal(gamma=1.0),
    "focal_2": c.Focal(gamma=2.0),
    "ldam": c.Ldam(),
    "ldam_drw": c.LdamDrw(**BY_WEIGHTS),
    # richardaecn/class-balanced-loss, src/cifar_main.py; weights 1 / n and n^-1.2 of
    # ynu-yangpeng/GLMC, Trainer.py
    "class_balanced": c.ClassBalanced(**BY_BATCH_SIZE),
    "inverse": c.InverseFrequency(**BY_BATCH_SIZE),
    "inverse_power": c.InverseFrequency(exponent=1.2, **BY_BATCH_SIZE),
    # google-research/google-research, logit_adjustment/utils.py
    "logit_adjusted": c.LogitAdjusted(),
    # Ren et al. 2020, BalancedSoftmaxLoss.py
    "balanced_softmax": c.BalancedSoftmax(),
    # orparask/VS-Loss, class_imbalance/losses.py
    "vs": c.VectorScaling(tau=1.25, gamma=0.15),
    "vs_drw": c.VectorScaling(tau=1.25, gamma=0.15, **DEFERRED),
    # wang22ti/DDC, cifar_train.py: last epochs with `--train_rule ADRW-T --tro 0.1`
    "vs_adrw_tla": c.VectorScaling(
        tau=1.25, gamma=0.0, reweight="inverse_frequency", exponent=0.1, start=0.8, **BY_WEIGHTS
    ),
    # open-mmlab/mmdetection, ghm_loss.py, for the binary logits log(p_y / (1 - p_y))
    "ghm_10": c.GradientHarmonising(bins=10),
    "ghm_30": c.GradientHarmonising(bins=30),
    # Values of the papers' equations, which the authors' code does not follow; see below.
    "focal_class_balanced": c.Focal(gamma=1.0, reweight="effective_number", **BY_BATCH_SIZE),
    "label_aware_smoothing": c.LabelAwareSmoothing(head=0.3, tail=0.0),
    # Not official: weights of mean 1 over the images that the stream shows, by their definition.
    "class_balanced_by_images": c.ClassBalanced(),
}
EXACT = ("cross_entropy", "focal_1", "focal_2")
# Of each objective: loss, norm of its gradient, and the gradient with respect to the ten logits of
# one image. Counts do not enter the values for `any`.
VALUES = """
any cross_entropy 3.647238666 0.2545267693
0.01107110421 0.001715523663 0.0002214921483 6.526141525e-05 8.007560455e-05
0.0003699653605 0.003030371913 -0.04686976428 0.02264099599 0.007674973976
exp0.1 inverse 2.355729569 0.2337882169
0.01623486254 0.002515674165 0.0003247999939 9.570049071e-05 0.0001174242793
0.0005425237318 0.004443790837 -0.06873064924 0.03320115596 0.01125471724
exp0.1 inverse_power 2.221306069 0.2461952469
0.01660386858 0.002572853519 0.0003321824499 9.787568984e-05 0.0001200932435
0.0005548548823 0.004544794812 -0.07029284445 0.0339557929 0.01151052838
exp0.1 class_balanced 2.436546185 0.2310160807
0.01591497735 0.002466106335 0.0003184002657 9.381484679e-05 0.0001151105986
0.0005318340628 0.004356232173 -0.06737640822 0.03254697376 0.01103295883
any focal_1 3.474887995 0.2672961598
0.01213971116 0.001881109721 0.00024287105 7.156058835e-05 8.780467528e-05
0.0004056752182 0.003322869972 -0.0513937354 0.02482635394 0.008415779081
any focal_2 3.343574268 0.2726261481
0.01198142778 0.00185658291 0.0002397043807 7.062754709e-05 8.665983581e-05
0.0004003858301 0.003279544799 -0.05072363924 0.02450265603 0.008306050118
exp0.1 ldam 13.70623331 0.287701885
0.01476311213 0.002287618987 0.0002953556718 8.702488687e-05 0.0001067793335
0.0004933419467 0.004040944744 -0.06249996139 0.03019134823 0.01023443545
exp0.1 ldam_drw 15.31593734 0.3804455325
0.03030755943 0.004696309814 0.0006063429916 0.0001786555509 0.0002192099449
0.001012793931 0.008295755791 -0.1283077225 0.06198056837 0.02101052664
exp0.1 logit_adjusted 3.339946696 0.2562102813
0.03522769691 0.004226133307 0.0004224432609 9.635356338e-05 9.152291976e-05
0.0003275001487 0.002076992572 -0.05420426469 0.009293483889 0.002442138127
exp0.1 balanced_softmax 3.339946696 0.2562102813
0.03522769691 0.004226133307 0.0004224432609 9.635356339e-05 9.152291976e-05
0.0003275001487 0.002076992572 -0.05420426469 0.009293483888 0.002442138127
exp0.1 vs 3.108823546 0.2341817811
0.04638858374 0.004953906538 0.0005130792584 0.0001279222574 0.0001174216305
0.0003167419459 0.001219875486 -0.04487012456 0.002471707297 0.0007417235371
exp0.1 vs_drw 3.857651267 0.3263932663
0.09523227527 0.01016999772 0.001053313148 0.0002626147783 0.0002410577806
0.0006502474047 0.002504312671 -0.09211499273 0.005074229276 0.001522702665
exp0.1 vs_adrw_tla 3.370901186 0.2612128218
0.04572476603 0.005145454292 0.0004824638874 0.0001032201573 9.196682412e-05
0.0003087223161 0.001836595894 -0.06270497152 0.007229249585 0.001782532532
any ghm_10 2.389774423 0.2611587623
0.01476147228 0.002287364883 0.0002953228643 8.701522034e-05 0.0001067674727
0.0004932871474 0.004040495884 -0.06249301904 0.03018799465 0.01023329863
any ghm_30 2.225695398 0.281289238
0.01968196304 0.003049819844 0.0003937638191 0.0001160202938 0.0001423566303
0.0006577161965 0.005387327846 -0.08332402538 0.04025065953 0.01364439818
exp0.01 inverse 1.938062526 0.3026667184
0.0160238299 0.002482973589 0.0003205780056 9.44565056e-05 0.0001158979124
0.0005354716108 0.004386027188 -0.06783723789 0.032769583 0.01110842018
exp0.01 inverse_power 1.87826855 0.3283039542
0.01490021315 0.002308863484 0.0002980985598 8.783306339e-05 0.0001077709643
0.0004979234796 0.004078471901 -0.06308038158 0.0304717271 0.01032947988
exp0.01 class_balanced 1.956225387 0.3008175041
0.01597147684 0.002474861218 0.0003195306132 9.414789732e-05 0.0001155192508
0.0005337221181 0.00437169716 -0.06761560008 0.03266251823 0.01107212675
exp0.01 ldam 10.7389515 0.2875616493
0.01476307687 0.002287613523 0.0002953549663 8.7024679e-05 0.0001067790785
0.0004933407683 0.004040935091 -0.06249981211 0.03019127612 0.01023441101
exp0.01 ldam_drw 15.6911842 0.5870878924
0.03546267186 0.00549512059 0.0007094778644 0.0002090436609 0.0002564960851
0.00118506338 0.009706808167 -0.1501320048 0.07252304701 0.02458427619
exp0.01 logit_adjusted 3.311439812 0.2613440758
0.05218402036 0.004846855225 0.0003750086278 6.625959589e-05 4.868963655e-05
0.0001349735344 0.0006627664395 -0.06045187282 0.001771536937 0.000361762468
exp0.01 balanced_softmax 3.311439812 0.2613440758
0.05218402036 0.004846855225 0.0003750086278 6.625959589e-05 4.868963655e-05
0.0001349735344 0.0006627664395 -0.06045187283 0.001771536937 0.0003617624679
exp0.01 vs 3.176382947 0.223535938
0.05656511946 0.004165429485 0.00034263908 7.054651105e-05 4.743614593e-05
7.617210098e-05 0.0001487164892 -0.03633511302 9.61406533e-05 2.446569457e-05
exp0.01 vs_drw 6.446722376 0.491173231
0.1358761651 0.01000585855 0.0008230599464 0.0001694611356 0.0001139472816
0.0001829744738 0.0003572347487 -0.08728127619 0.0002309413187 5.876951708e-05
exp0.01 vs_adrw_tla 3.681736334 0.2775443996
0.06836914148 0.005587426506 0.0003803627101 5.914020139e-05 3.823019839e-05
9.327310879e-05 0.0004030070055 -0.07591356721 0.0008331051621 0.0001498808334
exp0.1 focal_class_balanced 2.302490103 0.2465275472
0.01745112542 0.002704140258 0.0003491329487 0.0001028700589 0.0001262213228
0.0005831678381 0.004776705134 -0.07387972502 0.03568847813 0.0120978839
exp0.1 label_aware_smoothing 3.665961003 0.2087291687
0.01082876244 0.001473181896 -2.08496185e-05 -0.0001770803515 -0.0001622661622
0.0001276235938 0.002788030147 -0.04468868838 0.02239865422 0.007432632209
exp0.1 class_balanced_by_images 3.908377638 0.3705647319
0.0255286528 0.00395579403 0.0005107346153 0.0001504850807 0.0001846448436
0.0008530962274 0.006987678098 -0.1080761156 0.05220745053 0.0176975794
exp0.01 focal_class_balanced 1.82735459 0.3258271167
0.01751307837 0.002713740181 0.0003503723998 0.0001032352562 0.000126669419
0.0005852381325 0.004793662836 -0.0741420042 0.03581517521 0.0121408324
exp0.01 label_aware_smoothing 3.6596606 0.2157542941
0.01101227328 0.001656692733 0.0001626612187 6.430485711e-06 2.124467501e-05
0.000311134431 0.002971540984 -0.04634028591 0.02258216506 0.007616143046
exp0.01 class_balanced_by_images 11.44023809 1.759216444
0.09340309095 0.01447328194 0.001868652925 0.0005505880704 0.0006755702803
0.003121270251 0.02556620352 -0.3954240492 0.1910142807 0.06475111052
"""
WORDS = VALUES.split()
ROWS = {
    tuple(WORDS[i : i + 2]): numbers(" ".join(WORDS[i + 2 : i + 14]))
    for i in range(0, len(WORDS), 14)
}
CASES = [(counts, name) for key, name in ROWS for counts in (COUNTS if key == "any" else [key])]


def built(name, counts):
    classifier = c.CosineClassifier() if "ldam" in name else c.LinearClassifier()
    return build_objective(OBJECTIVES[name], 64, torch.tensor(COUNTS[counts]), classifier)


def test_every_objective_has_values():
    assert {name for _, name in ROWS} == set(OBJECTIVES)


@pytest.mark.parametrize(("counts", "name"), CASES)
def test_loss_and_gradient(counts, name):
    expected = ROWS.get(("any", name)) or ROWS[counts, name]
    objective, logits = built(name, counts), LOGITS.clone().requires_grad_()
    objective.set_progress(160 / 200)
    loss = objective.loss(logits, LABELS)
    (gradient,) = torch.autograd.grad(loss, logits)
    found = [loss.item(), norm([gradient]), *gradient[IMAGE].tolist()]
    # Margins, priors and weights are stored in single precision; other losses have none.
    assert found == pytest.approx(expected, rel=1e-9 if name in EXACT else 5e-7)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize(("weighted", "plain"), [("ldam_drw", "ldam"), ("vs_drw", "vs")])
def test_weights_start_after_epoch_160_of_200(counts, weighted, plain):
    """Epochs count from 0 in the authors' code, whose weights in epoch 159 are all 1."""
    objective = built(weighted, counts)
    objective.set_progress(159 / 200)
    assert float(objective.loss(LOGITS, LABELS)) == pytest.approx(ROWS[counts, plain][0], rel=1e-6)


@pytest.mark.parametrize(
    ("counts", "official"), [("exp0.1", 2.203580552), ("exp0.01", 1.776343205)]
)
def test_focal_loss_takes_the_probability_before_class_weights(counts, official):
    """LDAM-DRW takes p_y = exp(-loss) from the weighted loss, which is then no probability."""
    name = "focal_class_balanced"
    weights = class_weights(OBJECTIVES[name], torch.tensor(COUNTS[counts]))[LABELS]
    weighted = weights * F.cross_entropy(LOGITS, LABELS, reduction="none")
    theirs = ((1 - torch.exp(-weighted)) * weighted).mean()
    assert float(theirs) == pytest.approx(official, rel=1e-9)
    assert ROWS[counts, name][0] - official > 0.05


@pytest.mark.parametrize(
    ("counts", "official", "epsilons"),
    [
        (
            "exp0.1",
            3.664088769,
            [0.3, 0.2770032916, 0.2296112693, 0.178025666, 0.13113473],
        ),
        (
            "exp0.01",
            3.658418407,
            [0.3, 0.2414116337, 0.1578439383, 0.09604862497, 0.05630790507],
        ),
    ],
)
def test_smoothing_is_shared_by_the_other_classes(counts, official, epsilons):
    """MiSLAS gives epsilon to all C classes, the label too; equation 4 to the other C - 1.

    Values are those of the copy of the authors' code in zhangyongshun/BagofTricks-LT.
    """
    epsilon = smoothing(torch.tensor(COUNTS[counts]), 0.3, 0.0)
    assert epsilon[:5].tolist() == pytest.approx(epsilons, rel=1e-9)
    log_p = LOGITS.log_softmax(1)
    own, each = log_p[range(16), LABELS], epsilon[LABELS]
    theirs = -((1 - each) * own + each * log_p.mean(1)).mean()
    assert float(theirs) == pytest.approx(official, rel=1e-9)
    assert ROWS[counts, "label_aware_smoothing"][0] - official > 1e-3


@pytest.mark.parametrize(("counts", "mean"), [("exp0.1", 0.6234), ("exp0.01", 0.1710)])
def test_by_default_weights_do_not_make_the_loss_smaller(counts, mean):
    """Cui et al. divide by the batch size weights of mean 1 over classes."""
    ours, theirs = (ROWS[counts, f"class_balanced{by}"][0] for by in ("_by_images", ""))
    assert theirs / ours == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize(
    ("counts", "tau", "expected"),
    [
        (
            "exp0.1",
            1.5,
            "4.346762646 2.866030094 1.202795204 0.3648759443 0.953454036 "
            "2.867200757 5.353997283 7.378071065 8.134100712 7.434266698",
        ),
        (
            "exp0.01",
            1.0,
            "3.144081796 1.791287806 0.2562511101 -0.4543524817 0.2629021467 "
            "2.304165906 4.918884481 7.07166979 7.957858134 7.382878394",
        ),
    ],
)
def test_logit_adjustment_after_training(counts, tau, expected):
    """Value of google-research/google-research, logit_adjustment/main.py."""
    adjusted = LOGITS[IMAGE] - tau * log_priors(torch.tensor(COUNTS[counts]))
    assert adjusted.tolist() == pytest.approx(numbers(expected), rel=1e-8)
