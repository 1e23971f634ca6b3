"""Small search modules for tests, without a trainer."""

import contextlib

import torch
from networks import search_network as make_network
from torch import nn

from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.axes.perturbations import build_perturbation
from ltnas.axes.regularisers import build_regulariser
from ltnas.data.augment import Normalisation
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.models.build import branch_depth
from ltnas.models.build_supernet import build_supernet
from ltnas.models.resnet import ResNet
from ltnas.objectives.build import build_objective
from ltnas.space.cost import supernet_costs
from ltnas.space.layout import edges
from ltnas.training.interleaving import Interleaving, learner_names
from ltnas.training.learner import Learner
from ltnas.training.operation_stopping import build_operation_stopping
from ltnas.training.search_losses import SearchLosses
from ltnas.training.search_module import SearchModule
from ltnas.training.self_explanation import DetachedExplanation, DifferentiatedExplanation
from ltnas.training.teaching import Teaching

CLASSES = 4
COUNTS = torch.tensor([40.0, 20.0, 10.0, 5.0])
"""Number of training images of each class."""


class Alone:
    """Stands for the trainer: the optimisers are all that steps ask it for."""

    def __init__(self, optimizers):
        self.optimizers = optimizers
        self.num_training_batches = 0  # no batch is the last one
        self.current_epoch = 0


class SteppedModule(SearchModule):
    """A search module whose steps can be called by hand."""

    @property
    def trainer(self):
        return self.alone


def search_module(
    objective=None,
    gradient=None,
    relaxation=None,
    regulariser=None,
    branches=None,
    channels=4,
    nodes=2,
    operations=c.OPERATIONS,
    dtype=torch.float64,
    prepare=lambda learner: learner,
    perturbation=None,
    weights=None,
    stopping=None,
    levels=None,
    **options,
):
    """A two-node, three-cell supernet under the given values on the axes.

    `levels` makes the other learners from the supernet's losses; see `LEVELS`.
    """
    torch.manual_seed(0)
    relaxation = relaxation or c.Softmax()
    network = make_network(
        operations,
        nodes=nodes,
        channels=channels,
        classes=CLASSES,
        relaxation=build_relaxation(relaxation, len(edges(nodes)), len(operations)),
        deviation=relaxation.initial_deviation,
        branch_depth=branch_depth(branches or c.OneBranch()),
        **options,
    )
    learner = Learner(
        network,
        build_objective(
            objective or c.CrossEntropy(),
            network.feature_size,
            COUNTS,
            c.LinearClassifier(),
            rebalanced=torch.ones(CLASSES) if branches else None,
            states=network.state_shapes,
        ),
    ).to(dtype)
    prepare(learner)
    regularise = build_regulariser(
        regulariser or c.NoRegulariser(),
        supernet_costs(operations, nodes, plans=network.supernet.plans, side=8, partial_channels=1),
    )
    others = levels(SearchLosses(learner, regularise)) if levels else None
    if others:
        for other in others.to(dtype).learners.values():
            prepare(other)
    module = SteppedModule(
        learner=learner,
        regularise=regularise,
        levels=others,
        gradient=gradient or c.FirstOrder(),
        schedule=c.Constant(),
        selection=c.Top2(),
        weights=weights or c.WeightOptimiser(),
        architecture=c.ArchitectureOptimiser(learning_rate=0.01),
        hessian_every=1,
        epochs=1,
        tests=TestSets(CLASSES, torch.arange(2), {}),
        seed=0,
        autocast=contextlib.nullcontext,
        perturbation=build_perturbation(
            perturbation or c.NoPerturbation(),
            len(edges(nodes)),
            len(operations),
            relaxation.sums_to_one,
        ),
        stopping=build_operation_stopping(stopping or c.NoOperationStopping(), learner),
    )
    module.alone = Alone(module.configure_optimizers())
    return module


def residual():
    """A learner with a residual network."""
    return Learner(ResNet(8, 2, CLASSES), cross_entropy(8))


def cross_entropy(features):
    return build_objective(c.CrossEntropy(), features, torch.ones(CLASSES), c.LinearClassifier())


def twin(losses):
    """A learner with a supernet of the same architecture."""
    supernet = build_supernet(
        c.StackedCells(),
        design=losses.network.supernet.design,
        channels=4,
        cells=3,
        masks=None,
        checkpointed=False,
        branch_depth=None,
    )
    network = losses.network.sharing(supernet, nn.Linear(supernet.state_channels, CLASSES))
    return Learner(network, cross_entropy(network.feature_size))


def teaching(losses, **settings):
    return Teaching(losses, residual(), c.Teaching(**settings), torch.tensor([8, 4, 2, 1]))


NORMALISATION = Normalisation((0.5, 0.5, 0.5), (0.25, 0.2, 0.3))


def explaining(losses, **settings):
    config = c.SelfExplanation(**settings)
    return DifferentiatedExplanation(losses, residual(), config, NORMALISATION)


def explaining_by_attack(losses, **settings):
    config = c.SelfExplanation(explanation="detached", steps=2, **settings)
    return DetachedExplanation(losses, twin(losses), config, NORMALISATION)


def interleaving(losses, **settings):
    config = c.Interleaving(**settings)
    names = learner_names(config.learners)
    return Interleaving(losses, {name: twin(losses) for name in names}, config)


LEVELS = {
    "teaching": teaching,
    "self_explanation": explaining,
    "attack": explaining_by_attack,
    "interleaving": interleaving,
}
"""Levels of search modules by name."""
STREAMS = {
    "teaching": ("student", "unlabelled"),
    "self_explanation": ("audience",),
    "attack": ("audience",),
    "interleaving": ("learner_2", "architecture_learner_2"),
}
"""Streams of their learners beside those of the supernet."""


def batches(views=1, size=8, seed=0, dtype=torch.float64, count=8, others=()):
    """A batch for the weights and one for the architecture, and one for each of the others."""
    generator = torch.Generator().manual_seed(seed)

    def one():
        images = tuple(
            torch.randn(count, 3, size, size, generator=generator).to(dtype) for _ in range(views)
        )
        return Batch(images, torch.randint(CLASSES, (count,), generator=generator))

    return {name: one() for name in ("weights", "architecture", *others)}


def masked_batches(seed=0, **options):
    """Batches of images and their masks, of the right half of each image."""
    found = batches(1, seed=seed, **options)
    for name, batch in found.items():
        (images,) = batch.views
        mask = torch.zeros_like(images[:, :1])
        mask[..., images.shape[-1] // 2 :] = 1
        found[name] = batch._replace(views=(images, mask))
    return found


def state(module):
    """A copy of everything that a step could change in the supernet's learner."""
    return {name: value.clone() for name, value in module.learner.state_dict().items()}


def whole_state(module):
    """A copy of everything that a step could change in all learners."""
    return {name: value.clone() for name, value in module.state_dict().items()}
