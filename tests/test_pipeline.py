"""Search and training in one: what each is told, what is done once, what is refused early."""

import json
import threading
import time

import pytest
from conftest import TINY
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ltnas import config as c
from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF
from ltnas.cli.words import words_of
from ltnas.data.long_tail import data_checksum
from ltnas.errors import UserError
from ltnas.pipeline import PENDING, once, pipeline, training_of
from ltnas.runs.fingerprint import fingerprint

pytestmark = pytest.mark.usefixtures("unrendered")

TRAINING = tuple(f"retrain.{word}" for word in ("auxiliary=0", "cutout=0", *TINY[5:]))


@pytest.fixture
def told():
    """The configuration of a pipeline, and that of its training, from words."""
    register_configs()

    def of(*words):
        with initialize_config_dir(CONF, version_base="1.3"):
            config = OmegaConf.to_object(compose("pipeline", [*TINY, *words]))
            return config, training_of(config, [*TINY, *words])

    return of


# --- what each stage is told --------------------------------------------------------------------


def test_the_search_is_that_of_a_search_alone(told):
    config, _ = told("scheme=fairdarts_ssl", "seed=3", "retrain.recipe=vs_sam")
    with initialize_config_dir(CONF, version_base="1.3"):
        alone = OmegaConf.to_object(compose("search", [*TINY, "scheme=fairdarts_ssl", "seed=3"]))
    assert fingerprint(config.search) == fingerprint(alone)


def test_the_training_is_that_of_a_training_alone(told):
    words = ("recipe=ldam_drw", "objective=focal", "objective.gamma=2", "weights.steps=[0.5,0.7]")
    _, training = told("seed=3", *TRAINING, *(f"retrain.{word}" for word in words))
    with initialize_config_dir(CONF, version_base="1.3"):
        own = [*TINY, "auxiliary=0", "cutout=0", "seed=3", *words, f"genotype={PENDING}"]
        alone = OmegaConf.to_object(compose("retrain", own))
    assert isinstance(training.objective, c.Focal)
    assert training.objective.gamma == 2
    assert fingerprint(training) == fingerprint(alone)


def test_what_both_share_is_said_once(told):
    config, training = told("imbalance=step0.01", "runs=there", "retrain.seed=7", "logger=none")
    assert training.imbalance == config.imbalance == c.Imbalance("step", 0.01)
    assert (training.runs, training.resume, training.logger.kind) == ("there", "auto", "none")
    assert (config.seed, training.seed) == (0, 7)
    assert (training.epochs, training.channels) == (150, 36)  # its own: a search has others


def test_one_field_of_a_group_for_the_training_alone(told):
    config, training = told("data=digits", "retrain.data.crop_padding=0", "logger=none")
    assert (config.data.source, config.data.crop_padding) == ("digits", 1)
    assert (training.data.source, training.data.crop_padding) == ("digits", 0)
    assert training.data.image_size == config.data.image_size


def test_a_scale_sets_both_and_the_command_line_wins(told):
    config, training = told("scale=smoke", "retrain.epochs=4")
    assert (config.epochs, config.channels) == (2, 4)  # of TINY
    assert (training.epochs, training.channels, training.auxiliary) == (4, 8, 0.0)
    assert training.data.source == "digits"


@pytest.mark.parametrize(
    ("words", "head", "rate"),
    [
        (["imbalance=exp0.01"], 0.3, 0.05),
        (["imbalance=exp", "imbalance.factor=0.022"], 0.2, 0.02),
        (["imbalance=balance"], 0.1, 0.02),
        (["imbalance=exp0.01", "retrain.imbalance=exp0.1"], 0.1, 0.02),
        (["imbalance=exp0.1", "retrain.imbalance.factor=0.01"], 0.3, 0.05),
    ],
)
def test_constants_by_imbalance_are_those_of_the_imbalance_of_the_training(told, words, head, rate):
    _, training = told("retrain.recipe=mislas", *TRAINING, *words)
    assert training.crt_objective == c.LabelAwareSmoothing(head=head)
    assert training.crt.weights.learning_rate == rate


@pytest.mark.parametrize(
    ("words", "searched", "trained"),
    [
        ([], 1, 2),  # of the data, and of the recipe
        (["data.crop_padding=3"], 3, 3),
        (["retrain.data.crop_padding=4"], 1, 4),
    ],
)
def test_what_a_recipe_says_of_the_data_is_for_the_training_alone(told, words, searched, trained):
    config, training = told("retrain.recipe=logit_adjustment", *TRAINING, *words)
    assert (config.data.crop_padding, training.data.crop_padding) == (searched, trained)
    assert training.data.source == config.data.source == "digits"


VALUES = st.one_of(
    *(st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.text(st.characters(min_codepoint=32, max_codepoint=300), max_size=8),
    st.lists(st.integers(), max_size=3),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, VALUES)
def test_words_say_what_was_set(one, other):
    words = words_of({"a": one, "b": {"c": other}})
    overrides = OverridesParser.create().parse_overrides(words)
    assert [override.key_or_group for override in overrides] == ["a", "b.c"]
    values = [override.value() for override in overrides]
    said = [value.text if isinstance(value, QuotedString) else value for value in values]
    assert said == [one, other]
    assert [type(value) for value in said] == [type(one), type(other)]


# --- what is done once --------------------------------------------------------------------------


def tiny(tmp_path, **keys):
    base = {
        "data": c.Data(source="digits", image_size=8),
        "imbalance": c.Imbalance("exp", 0.1),
        "trainer": c.Trainer(accelerator="cpu", threads=1),
        "runs": str(tmp_path / "runs"),
        "resume": "auto",
        **{"cells": 3, "channels": 4, "batch_size": 32, "limit_batches": 1, "epochs": 1},
    }
    return {**base, **keys}


def both(tmp_path, **keys):
    searching = c.SearchConfig(**tiny(tmp_path), scheme="random", selection=c.RandomDraw())
    own = {"auxiliary": 0.0, "cutout": 0, **keys}
    return searching, c.RetrainConfig(**tiny(tmp_path), genotype=PENDING, **own)


def runs_in(tmp_path):
    return sorted(path.name for path in (tmp_path / "runs").glob("[a-z]*"))


def test_what_was_found_is_trained_and_nothing_is_done_twice(tmp_path, capsys):
    searching, training = both(tmp_path)
    first = pipeline(searching, training)
    trained = json.loads((first / "metrics.json").read_text())
    found = capsys.readouterr().out.split("found: ")[1].splitlines()[0]
    assert json.loads((first / "fingerprint.json").read_text())["genotype"] == found
    assert trained["scheme"] == "random"
    before = runs_in(tmp_path)
    assert len(before) == 2
    assert pipeline(searching, training) == first
    assert runs_in(tmp_path) == before
    # another training of the same search
    assert pipeline(*both(tmp_path, drop_path=0.1)) != first
    assert len(runs_in(tmp_path)) == 3


def test_what_was_cut_off_goes_on(tmp_path):
    searching, training = both(tmp_path)
    first = pipeline(searching, training)
    (first / "metrics.json").unlink()  # the last thing that a run writes
    assert pipeline(searching, training) == first
    assert (first / "metrics.json").exists()


def test_resume_never_does_all_anew(tmp_path):
    searching, _ = both(tmp_path)
    first = pipeline(searching, None)
    again = c.SearchConfig(**{**vars(searching), "resume": "never"})
    second = pipeline(again, None)
    assert second != first
    assert pipeline(searching, None) == first
    assert runs_in(tmp_path) == [first.name, second.name]


def test_jobs_that_share_a_search_wait_for_it(tmp_path):
    searching, _ = both(tmp_path)
    started = []

    def run(config):
        from ltnas.search import search

        started.append(config)
        time.sleep(0.3)
        return search(config)

    found = []
    threads = [
        threading.Thread(target=lambda: found.append(once(searching, run, data_checksum)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1
    assert len(set(found)) == 1
    assert len(found) == 3


# --- what is refused before hours of searching --------------------------------------------------


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("retrain.genotype=darts_v2", "trains the genotype that it finds"),
        ("retrain.network=resnet32", "retrain.network in a pipeline"),
        ("retrain.objective=barlow_twins", "no labels to train the classifier with"),
        ("retrain.adjust=-1", "adjust=-1"),
    ],
)
def test_a_training_that_cannot_be_is_refused(told, word, message):
    with pytest.raises(UserError, match=message):
        told(*TRAINING, word)


def test_images_too_small_for_the_training_are_told_before_the_search(tmp_path):
    with pytest.raises(UserError, match="auxiliary classifier"):
        pipeline(*both(tmp_path, auxiliary=0.4))
    assert runs_in(tmp_path) == []


def test_runs_that_cannot_be_made(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="no folder can be made there"):
        pipeline(*both(tmp_path))


# --- the command --------------------------------------------------------------------------------


def test_an_experiment_is_a_sweep_and_again_does_nothing(commands, tmp_path):
    words = ("experiment=table1", "scale=smoke", "scheme=random,darts", "seed=0", *TINY, *TRAINING)
    texts = []
    for _ in range(2):
        done = commands.run("ltnas.pipeline", words, tmp_path)
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    folders = texts[0].splitlines()
    assert [folder.split("-")[1] for folder in folders] == ["random", "darts"]
    assert texts[1] == texts[0]
    assert len(runs_in(tmp_path)) == 4 + 1  # and the sweeps'


def test_a_choice_of_the_training_without_its_prefix(ltnas):
    done = ltnas("pipeline", "recipe=vs_sam", *TINY)
    assert done.returncode == 2
    assert "recipe" in done.stderr
    assert "+recipe" not in done.stderr
