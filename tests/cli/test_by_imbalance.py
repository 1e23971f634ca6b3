"""Values of recipes by the imbalance factor: which value, where it is resolved, and refusals."""

import pytest
from composed import settings
from omegaconf import OmegaConf

from ltnas.cli.by_imbalance import nearest_value, register_by_imbalance
from ltnas.cli.messages import user_message
from ltnas.cli.words import with_resolve
from ltnas.config.axis import choices
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.folder import RunFolder
from ltnas.runs.settings import write_settings

HEADS = {0.01: 0.3, 0.02: 0.2, 0.1: 0.1}
"""Label smoothing of the largest class in MiSLAS for ratios of 100, 50 and 10."""
MISLAS = ("retrain", "network=resnet32", "recipe=mislas")


@pytest.mark.parametrize(
    ("kind", "factor", "head"),
    [
        ("exp", 0.01, 0.3),
        ("step", 0.02, 0.2),
        ("exp", 0.1, 0.1),
        ("exp", 0.004, 0.3),
        ("exp", 0.0141, 0.3),  # sqrt(0.01 * 0.02) = 0.01414 is the middle of the logarithms
        ("exp", 0.0142, 0.2),
        ("exp", 0.044, 0.2),  # sqrt(0.02 * 0.1) = 0.0447; 0.06 would be the middle of the factors
        ("exp", 0.045, 0.1),
        ("exp", 1.0, 0.1),
        ("balance", None, 0.1),
        ("natural", None, 0.3),
        ("exp", 7.0, 0.3),  # refused by the imbalance itself
    ],
)
def test_the_value_of_the_nearest_factor(kind, factor, head):
    assert nearest_value(HEADS, kind, factor) == head
    assert nearest_value(dict(reversed(HEADS.items())), kind, factor) == head


def test_of_two_factors_equally_near_the_smaller():
    assert nearest_value({1.0: "large", 0.25: "small"}, "exp", 0.5) == "small"


@pytest.mark.parametrize(
    ("words", "head"),
    [
        (["imbalance=exp0.01"], 0.3),
        (["imbalance=exp0.02"], 0.2),
        ([], 0.1),  # exp0.1 is the default
        (["imbalance=balance"], 0.1),
        (["imbalance=step", "imbalance.factor=0.012"], 0.3),
        (["imbalance=exp0.01", "crt_objective.head=0.25"], 0.25),
    ],
)
def test_a_recipe_has_the_number_of_its_imbalance(words, head):
    found = settings(*MISLAS, *words).crt_objective.head
    assert (found, type(found)) == (head, float)


def test_a_run_of_a_recipe_is_that_of_the_numbers():
    named, typed = (
        settings(*MISLAS, "imbalance=exp0.01", *words) for words in ([], ["crt_objective.head=0.3"])
    )
    assert fingerprint(named) == fingerprint(typed)
    assert choices(named)["crt_objective"] == "label_aware_smoothing"


@pytest.fixture
def refused(tmp_path):
    """The message for an experiment with these lines."""

    def of(command, *lines):
        path = tmp_path / "experiment" / "mine.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["# @package _global_", *lines]))
        with pytest.raises(Exception) as caught:
            settings(command, f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")
        message = user_message(caught.value)
        assert "\n" not in message
        return message

    return of


@pytest.mark.parametrize("table", ["0.5", "{}", "{ten:1}", "{10:1}", "{0.1:1,0:2}", "[0.1]", ""])
def test_a_table_that_is_none(refused, table):
    message = refused("search", f"epochs: ${{by_imbalance:{table}}}")
    assert message.startswith("by_imbalance needs values by imbalance factors in (0, 1], not ")
    assert message.endswith("write for example ${by_imbalance:{0.01:0.3,0.1:0.1}}")


def test_a_value_of_the_wrong_type(refused):
    message = refused("search", "epochs: ${by_imbalance:{0.1:many}}")
    assert "many" in message
    assert "epochs" in message


def test_a_configuration_without_an_imbalance():
    register_by_imbalance()
    with pytest.raises(Exception) as caught:
        OmegaConf.to_object(OmegaConf.create({"size": "${by_imbalance:{0.1:3}}"}))
    assert user_message(caught.value).startswith(
        "by_imbalance in a configuration without imbalance"
    )


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["--cfg", "job", "a=1"], True),
        (["a=1", "-c", "job"], True),
        (["--cfg=job"], True),
        (["--cfg", "job", "--resolve"], False),
        (["--cfg", "hydra"], False),
        (["a=job", "epochs=1"], False),
    ],
)
def test_a_configuration_is_shown_with_its_numbers(words, added):
    assert with_resolve(words) == [*words, *(["--resolve"] if added else [])]


def test_what_is_shown_and_what_is_written(ltnas, tmp_path):
    """The number, not the table, which another run could resolve otherwise."""
    words = ("network=resnet32", "recipe=mislas", "imbalance=exp0.02")
    shown = ltnas("retrain", *words, "--cfg", "job")
    assert shown.returncode == 0, shown.stderr
    assert OmegaConf.create(shown.stdout).crt_objective.head == 0.2
    folder = RunFolder(tmp_path)
    write_settings(folder, settings(*MISLAS, "imbalance=exp0.02"))
    text = (tmp_path / "config.yaml").read_text()
    assert "head: 0.2\n" in text
    assert "by_imbalance" not in text
