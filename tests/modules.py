"""Small search modules for tests, without a trainer."""

import contextlib

import torch
from networks import search_network as make_network

from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.axes.perturbations import build_perturbation
from ltnas.axes.regularisers import build_regulariser
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.models.build import branch_depth
from ltnas.objectives.build import build_objective
from ltnas.space.cost import supernet_costs
from ltnas.space.layout import edges
from ltnas.training.learner import Learner
from ltnas.training.operation_stopping import build_operation_stopping
from ltnas.training.search_module import SearchModule

CLASSES = 4


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
    dtype=torch.float64,
    prepare=lambda learner: learner,
    perturbation=None,
    weights=None,
    stopping=None,
    **options,
):
    """A two-node, three-cell supernet under the given values on the axes."""
    torch.manual_seed(0)
    relaxation = relaxation or c.Softmax()
    network = make_network(
        nodes=nodes,
        channels=channels,
        classes=CLASSES,
        relaxation=build_relaxation(relaxation, len(edges(nodes)), len(c.OPERATIONS)),
        deviation=relaxation.initial_deviation,
        branch_depth=branch_depth(branches or c.OneBranch()),
        **options,
    )
    learner = Learner(
        network,
        build_objective(
            objective or c.CrossEntropy(),
            network.feature_size,
            torch.ones(CLASSES),
            c.LinearClassifier(),
            rebalanced=torch.ones(CLASSES) if branches else None,
            states=network.state_shapes,
        ),
    ).to(dtype)
    prepare(learner)
    module = SteppedModule(
        learner=learner,
        regularise=build_regulariser(
            regulariser or c.NoRegulariser(),
            supernet_costs(
                c.OPERATIONS,
                nodes,
                plans=network.supernet.plans,
                image_size=8,
                partial_channels=1,
            ),
        ),
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
            len(c.OPERATIONS),
            relaxation.sums_to_one,
        ),
        stopping=build_operation_stopping(stopping or c.NoOperationStopping(), learner),
    )
    module.alone = Alone(module.configure_optimizers())
    return module


def batches(views=1, size=8, seed=0, dtype=torch.float64, count=8):
    """A batch for the weights and one for the architecture."""
    generator = torch.Generator().manual_seed(seed)

    def one():
        images = tuple(
            torch.randn(count, 3, size, size, generator=generator).to(dtype) for _ in range(views)
        )
        return Batch(images, torch.randint(CLASSES, (count,), generator=generator))

    return {"weights": one(), "architecture": one()}


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
    """A copy of everything that a step could change."""
    return {name: value.clone() for name, value in module.learner.state_dict().items()}
