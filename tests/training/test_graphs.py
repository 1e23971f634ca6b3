"""Steps that are recorded once and replayed, with a stand-in for CUDA graphs."""

import json

import pytest
import torch
from composed import composed
from networks import search_network
from recording import Recording

from ltnas import config as c
from ltnas import kernels as cpu_kernels
from ltnas.config.objective import OBJECTIVES
from ltnas.data.stream import Batch, Partner
from ltnas.errors import UserError
from ltnas.models import depthwise
from ltnas.objectives.build import build_objective
from ltnas.retrain import retrain
from ltnas.runs.folder import RunFolder
from ltnas.search import search
from ltnas.training import monitor
from ltnas.training.graphs import EAGER_STEPS, GraphRunner, build_runner, run_eagerly

CELL = {
    "edges": [
        *(["sep_conv_3x3", 2, 0], ["max_pool_3x3", 2, 1]),
        *(["dil_conv_3x3", 3, 2], ["skip_connect", 3, 0]),
    ]
}
"""Two nodes with the operations of the published genotype that has four, darts_v2."""
SCHEMES = [
    *("darts", "fairdarts", "fairdarts_ssl", "darts_2nd", "darts_bbn", "msr_darts", "b_darts"),
    "mae_nas",
]
RECIPES = [
    *("paper", "ldam_drw", "glmc", "bbn", "crt", "mislas", "vs_sam", "logit_adjustment"),
    *("cross_entropy", "glmc_max_norm"),
]


class Recorder:
    """Makes recorded runners, and keeps them."""

    def __init__(self):
        self.graphs = []

    def __call__(self, graphs, device):
        return GraphRunner(self._make, lambda graph: graph)

    def _make(self):
        self.graphs.append(Recording())
        return self.graphs[-1]


class Eager(GraphRunner):
    """Never records, but has the optimisers of recorded steps."""

    def __init__(self, *ignored):
        super().__init__(Recording, lambda graph: graph)

    def __call__(self, step, batches):
        return step(batches)


@pytest.fixture
def like_a_gpu(monkeypatch, no_pictures):
    """No CPU kernels, whose calls no recording sees, and PyTorch's own depthwise convolutions."""
    monkeypatch.setenv(cpu_kernels.SWITCH, "off")
    cpu_kernels.kernels.cache_clear()
    monkeypatch.setattr(depthwise, "has_fast_gradient", lambda x: True)
    yield monkeypatch
    cpu_kernels.kernels.cache_clear()


def results(path):
    """Return the numbers of all epochs, and all weights of the last checkpoint."""
    histories = [file.read_text() for file in sorted(path.rglob("history.csv"))]
    saved = torch.load(RunFolder(path, True).checkpoint, weights_only=True)
    return histories, saved["state_dict"]


def assert_recorded_equals_eager(monkeypatch, command, config, tmp_path):
    """The recorded run replays each stage, and ends with the bits of the eager one."""
    recorder, found = Recorder(), {}
    for name, runner in (("eager", Eager), ("recorded", recorder)):
        monkeypatch.setattr(monitor, "build_runner", runner)
        config.runs = str(tmp_path / name)
        found[name] = results(command(config))
    assert recorder.graphs
    assert all(graph.replays >= 4 for graph in recorder.graphs)
    (histories, state), (expected_histories, expected) = found["recorded"], found["eager"]
    assert histories == expected_histories
    assert state.keys() == expected.keys()
    different = [name for name, value in expected.items() if not torch.equal(value, state[name])]
    assert different == []


STEPS = ("limit_batches=4", "epochs=2", "limit_test_batches=1", "batch_size=8")
FEW = ("space.operations=[skip_connect,max_pool_3x3,sep_conv_3x3]",)
"""For most searches; those of DARTS and FairDARTS record all operations."""
SMALL_NETWORK = ("second_network=resnet20", "second_network.depth=8", "second_network.width=4")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_recorded_search_is_the_eager_one(scheme, like_a_gpu, tmp_path):
    """Rates, schedules and shares move between the epochs; the recording is of the first one."""
    own = ("darts", "fairdarts", "msr_darts")  # the last one has convolutions alone
    space = () if scheme in own else FEW
    words = (f"scheme={scheme}", *STEPS, *space, "space.nodes=1", "collapse.hessian_every=0")
    config = composed("search", *words)
    assert_recorded_equals_eager(like_a_gpu, search, config, tmp_path)


def test_a_recorded_search_with_noise_and_other_operations_on_each_edge_is_the_eager_one(
    like_a_gpu, tmp_path
):
    edges = "[[noise],[skip_connect,sep_conv_3x3]]"
    space = ("space.operations=[noise,skip_connect,sep_conv_3x3]", "space.nodes=1")
    words = ("scheme=fairdarts", *space, f"space.normal_edges={edges}", "collapse.hessian_every=0")
    config = composed("search", *STEPS, *words)
    assert_recorded_equals_eager(like_a_gpu, search, config, tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("perturbation=random", "regulariser=cost"),
        ("perturbation=adversarial", "perturbation.steps=2"),
        ("macro=broad", "partial_channels=2", "edges=normalised"),
        ("operation_stopping=oles", "operation_stopping.steps=4", "gradient=second_order"),
    ],
)
def test_a_recorded_search_with_other_weight_steps_is_the_eager_one(words, like_a_gpu, tmp_path):
    config = composed("search", *words, *STEPS, *FEW, "space.nodes=1", "collapse.hessian_every=0")
    assert_recorded_equals_eager(like_a_gpu, search, config, tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("scheme=learning_by_teaching", *SMALL_NETWORK),
        ("scheme=self_explanation", *SMALL_NETWORK),
        (
            *("scheme=self_explanation", "second_network=supernet"),
            *("levels.explanation=detached", "levels.steps=2"),
        ),
        ("scheme=interleaving",),
    ],
)
def test_a_recorded_search_of_several_learners_is_the_eager_one(words, like_a_gpu, tmp_path):
    space = ("space.operations=[skip_connect,sep_conv_3x3]", "space.nodes=1")
    sizes = (*space, "channels=4", "cells=2", "data.image_size=8", "collapse.hessian_every=0")
    config = composed("search", *words, *STEPS, *sizes)
    assert_recorded_equals_eager(like_a_gpu, search, config, tmp_path)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recorded_training_is_the_eager_one(recipe, like_a_gpu, tmp_path):
    file = tmp_path / "genotype.json"
    file.write_text(json.dumps({"normal": CELL, "reduce": CELL}))
    # The auxiliary classifier of some recipes needs images of 32 pixels.
    words = [f"genotype={file}", f"recipe={recipe}", *STEPS, "data.image_size=32"]
    config = composed("retrain", *words)
    config.crt.epochs = min(config.crt.epochs, 2)
    assert_recorded_equals_eager(like_a_gpu, retrain, config, tmp_path)


def test_a_recorded_training_that_changes_late_is_the_eager_one(like_a_gpu, tmp_path):
    """Class weights, multiplied logits and the radius change in the second epoch."""
    words = (
        *("network=resnet20", "network.depth=8", "network.width=4", "augmentation=auto_augment"),
        *("objective=vector_scaling", "objective.multiplicative_end=0.5", "objective.start=0.5"),
        *("objective.reweight=inverse_frequency", "mix=mixup", "mix.drawn_for=batches"),
        *("sharpness=0.1", "sharpness_factor=3", "sharpness_step=0.5"),
        *("crt.epochs=2", "crt.fresh=false", "crt.max_norm=0.2"),
    )
    assert_recorded_equals_eager(like_a_gpu, retrain, composed("retrain", *words, *STEPS), tmp_path)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_every_objective_can_be_recorded(name, like_a_gpu):
    """And it makes all its tensors on the device of its input: others would be on `meta`."""
    torch.manual_seed(0)
    model = search_network(channels=4, cells=3)
    objective = build_objective(
        OBJECTIVES[name](),
        model.feature_size,
        torch.arange(1, 11),
        c.LinearClassifier(),
        states=model.state_shapes,
    )
    images = [torch.randn(6, 3, 8, 8) for _ in range(2)]
    shares = (torch.rand(6), torch.rand(6))
    batch = Batch(tuple(images), torch.arange(6), Partner((), torch.arange(6).flip(0), shares))
    with torch.device("meta"), Recording() as graph:
        losses = objective(model, batch)
        gradients = torch.autograd.grad(losses.total, list(model.parameters()), allow_unused=True)
    assert graph.calls
    assert any(gradient is not None for gradient in gradients)


# --- the runner ---------------------------------------------------------------------------------


def batches(images=4, seed=0):
    random = torch.Generator().manual_seed(seed)
    return {"weights": Batch((torch.randn(images, 3, generator=random),), torch.arange(images))}


@pytest.fixture
def runner():
    graphs = []

    def make():
        graphs.append(Recording())
        return graphs[-1]

    return GraphRunner(make, lambda graph: graph), graphs


def test_steps_are_recorded_once_and_batches_copied(runner):
    run, graphs = runner
    total, calls = torch.zeros(()), []

    def step(both):
        calls.append(both)
        total.add_(both["weights"].views[0].sum())
        return {"total": total * 1}

    expected, seen = torch.zeros(()), []
    for seed in range(8):
        expected += batches(seed=seed)["weights"].views[0].sum()
        seen.append((run(step, batches(seed=seed))["total"], expected.clone()))
    for found, wanted in seen:  # at the end: a replay must not overwrite what was returned
        torch.testing.assert_close(found, wanted)
    assert len(calls) == EAGER_STEPS + 1
    assert [graph.replays for graph in graphs] == [8 - EAGER_STEPS]


def test_a_batch_of_another_size_runs_eagerly(runner):
    run, graphs = runner
    sizes = []

    def step(both):
        sizes.append(len(both["weights"].labels))
        return {"mean": both["weights"].views[0].mean()}

    for images in (4, 4, 4, 4, 3, 4):
        found = run(step, batches(images))["mean"]
        torch.testing.assert_close(found, batches(images)["weights"].views[0].mean())
    assert sizes == [4, 4, 4, 4, 3]  # three eager ones, the recording, the odd one
    assert graphs[0].replays == 2


def test_what_cannot_be_recorded_runs_eagerly_and_says_why(runner, capsys):
    run, _ = runner

    def step(both):
        value = float(both["weights"].views[0].sum())
        return {"value": torch.tensor(value)}

    for seed in range(6):
        found = run(step, batches(seed=seed))["value"]
        torch.testing.assert_close(found, batches(seed=seed)["weights"].views[0].sum())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("note: steps run without CUDA graphs (")
    assert "_local_scalar_dense" in line


def test_a_recording_that_breaks_on_the_gpu_is_an_error_with_a_way_out():
    """PyTorch cannot go on then, so that the run must be started again without recordings."""

    class Broken(Recording):
        def __exit__(self, *error):
            super().__exit__(*error)
            raise RuntimeError("operation failed due to a previous error during capture")

    run = GraphRunner(Broken, lambda graph: graph)

    def step(both):
        return {"value": torch.tensor(float(both["weights"].views[0].sum()))}

    for seed in range(EAGER_STEPS):
        run(step, batches(seed=seed))
    with pytest.raises(UserError, match=r"_local_scalar_dense.* graphs=off resume=auto goes on"):
        run(step, batches())


def test_only_a_gpu_records_and_only_if_it_may():
    assert build_runner("auto", torch.device("cpu")) is run_eagerly
    assert build_runner("off", torch.device("cuda")) is run_eagerly
    runner = build_runner("auto", torch.device("cuda"))
    assert isinstance(runner, GraphRunner)
    # Images are read ahead by another thread, which a recording must not forbid.
    assert runner._recording.keywords == {"capture_error_mode": "thread_local"}
