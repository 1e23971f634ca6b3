"""From a wrong command line or configuration file to one line."""

import pytest
from composed import refusal, settings
from hydra.core.utils import _save_config
from omegaconf import OmegaConf

from ltnas import config as c
from ltnas.cli.messages import refuse_new_keys, user_message
from ltnas.errors import UserError


def test_unknown_scheme_with_the_near_miss():
    message = refusal("search", "scheme=fairdart")
    assert message.startswith("scheme=fairdart is not known: did you mean scheme=fairdarts?")
    assert "choose one of b_darts, b_pc_darts, darts, darts_2nd, darts_bbn, darts_minus," in message


def test_unknown_scheme_like_nothing():
    message = refusal("search", "scheme=xyz")
    assert message.startswith("scheme=xyz is not known: choose one of b_darts,")
    assert "did you mean" not in message


@pytest.mark.parametrize("group", ["data", "imbalance", "experiment", "trainer", "logger", "space"])
def test_unknown_choice_of_a_group(group):
    assert refusal("search", f"{group}=xyz").startswith(f"{group}=xyz is not known: choose one of")


@pytest.mark.parametrize("argument", ["imbalance=0.1", "logger=null", "trainer=2"])
def test_choice_that_is_no_name(argument):
    assert "give the name of a choice" in refusal("search", argument)


@pytest.mark.parametrize("key", ["epoch", "weights.lr", "data.rot", "trainer.device"])
def test_unknown_key(key):
    message = refusal("search", f"{key}=1")
    assert key.rpartition(".")[2] in message
    assert "--help lists the keys" in message


@pytest.mark.parametrize(
    ("key", "near"),
    [("epoch", "epochs"), ("data.rot", "data.root"), ("weights.clp", "weights.clip")],
)
def test_unknown_key_with_the_near_miss(key, near):
    assert f": did you mean {near}? (--help lists" in refusal("search", f"{key}=1")


@pytest.mark.parametrize("value", ["0.05", "1"])
def test_a_key_that_was_renamed(value):
    message = refusal("retrain", "network=resnet32", f"crt.learning_rate={value}")
    assert message == (
        "crt.learning_rate is now crt.weights.learning_rate, one of the keys of an optimiser of "
        "its own: write crt.weights.learning_rate=... (retrain.crt.weights.learning_rate=... for "
        "ltnas.pipeline)"
    )


def test_unknown_key_like_nothing():
    assert "did you mean" not in refusal("search", "xyz=1")


def test_keys_typed_as_flags_are_refused(ltnas):
    done = ltnas("search", "--scheme=darts", "--epochs=1")
    assert done.returncode == 2
    assert done.stderr == (
        "ltnas: keys have no dashes: write scheme=darts epochs=1 (--help lists them)\n"
    )


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("runs=My Data (1)", "\"runs='My Data (1)'\""),
        ("data.root=/x/photos (copy)", "\"data.root='/x/photos (copy)'\""),
    ],
)
def test_paths_with_parentheses(word, typed):
    assert refusal("search", word).endswith(f"must be quoted: type {typed}")


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", "many"), ("data.flip", "3.5"), ("weights.clip", "x")]
)
def test_wrong_type(key, value):
    message = refusal("search", f"{key}={value}")
    assert key in message
    assert value in message


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("search", ["objective=ldam"], "objective=ldam needs a normalised classifier"),
        (
            "search",
            ["architecture_objective=ldam_drw"],
            "architecture_objective=ldam needs a normalised",
        ),
        ("search", ["architecture_objective=barlow_twins"], "its own layers would never learn"),
        (
            "search",
            ["objective=barlow_twins", "architecture_objective=masked_reconstruction"],
            "take objective=masked_reconstruction, for both steps",
        ),
        ("search", ["scheme=mae_nas", "branches=two"], "branches=two with objective=masked_recon"),
        ("search", ["scheme=mae_nas", "objective.decoder=none"], "hierarchical, single_scale"),
        ("search", ["sampler=reversed", "sampler.start=1"], "must lie in [0, 1): a share"),
        ("search", ["objective.start=0.5"], "there is nothing to start"),
        ("search", ["objective=balanced_softmax", "objective.tau=2"], "it has no constants"),
        ("search", ["objective.reweight=inverse"], "choose one of none, inverse_frequency,"),
        ("retrain", ["objective=ldam_drw"], "add classifier=cosine"),
        ("retrain", ["objective=barlow_twins"], "has no labels to train the classifier with"),
        ("retrain", ["objective=masked_reconstruction"], "masked_reconstruction has no labels to"),
        ("retrain", ["pretrain=masked_reconstruction"], "choose one of none, barlow_twins"),
        ("retrain", ["objective=logit_adjusted", "adjust=1"], "it would be done twice"),
        ("retrain", ["classifier=cosine", "adjust=1"], "a cosine has none"),
        ("retrain", ["adjust=-1"], "adjust=-1.0 must be 0 or more"),
    ],
)
def test_values_that_cannot_be_combined(command, arguments, words):
    genotype = ["genotype=darts_v2"] if command == "retrain" else []
    assert words in refusal(command, *arguments, *genotype)


def test_values_that_can_be_combined():
    for objective in ("ldam", "ldam_drw"):
        for classifier in ("cosine", "simplex"):
            settings("search", f"objective={objective}", f"classifier={classifier}")
    settings(
        "retrain", "genotype=darts_v2", "objective=vector_scaling", "objective.tau=0", "adjust=1"
    )


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("imbalance.factor=100", "as a ratio of the smallest class to the largest it is 0.01"),
        ("imbalance.factor=3", "as a ratio of the smallest class to the largest it is 0.333333"),
        ("imbalance.factor=0", "to the largest, for example 0.1"),
        ("imbalance.factor=inf", "to the largest, for example 0.1"),
        ("imbalance=exp100", "100 is 0.01; take imbalance=exp0.01"),
        ("imbalance=step100", "100 is 0.01; take imbalance=step0.01"),
        ("imbalance=exp50", "50 is 0.02; take imbalance=exp0.02"),
        ("imbalance=step50", "50 is 0.02; take imbalance=step imbalance.factor=0.02"),
        ("imbalance=exp0.03", "is not known: take imbalance=exp imbalance.factor=0.03"),
        ("imbalance=exp0", "did you mean imbalance=exp?"),
    ],
)
def test_an_imbalance_the_other_way_round(argument, words):
    message = refusal("search", argument)
    assert message.startswith(argument)
    assert words in message


@pytest.mark.parametrize("text", ["照片", "a#b", "~/photos", "a=b", "photos (1)"])
def test_a_path_that_must_be_quoted(text):
    message = refusal("search", f"data.root={text}")
    assert message.startswith(f"data.root={text}: a text with quotes,")
    typed = f"data.root='{text}'"
    assert message.endswith(f'must be quoted: type "{typed}"')
    assert settings("search", typed).data.root == text


def test_a_text_with_a_comma_outside_a_multirun():
    message = refusal("search", "data.root=a,b")
    assert "for a text with a comma type \"data.root='a,b'\"" in message


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("space.operations=[none", "if the value is a text, type \"space.operations='[none'\""),
        ("epochs", "epochs cannot be read as key=value: --help shows examples"),
    ],
)
def test_a_word_that_quotes_may_not_mend(word, words):
    message = refusal("search", word)
    assert message.startswith(f"{word} cannot be read as key=value")
    assert message.endswith(words)


CONFIG_FILES = {
    "a tab": (b"epochs: 1\nweights:\n\tclip: 1\n", ", line 3: a tab stands where"),
    "Latin-1": (b"epochs: 1\n# gr\xf6\xdfe\n", ", line 2: byte 0xf6 is not UTF-8: save"),
    "UTF-16": ("epochs: 1\n".encode("utf-16"), ", line 1: byte 0xff is not UTF-8: save"),
    "Latin-1 far down": (b"# 1\n" * 9999 + b"\xe4", ", line 10000: byte 0xe4 is not UTF-8"),
    "an open bracket": (b"steps: [1\n", " is not YAML (expected ',' or ']'"),
    "a key twice": (b"epochs: 1\nepochs: 2\n", ", line 2 is not YAML (found duplicate key epochs)"),
    "a control character": (b"epochs: 1\x07\n", " is not YAML (unacceptable character #x0007"),
    "a number": (b"5\n", " cannot be read (Invalid loaded object type: int)"),
}


@pytest.mark.parametrize("what", CONFIG_FILES)
def test_an_experiment_file_that_cannot_be_read(tmp_path, what):
    content, words = CONFIG_FILES[what]
    path = tmp_path / "experiment" / "mine.yaml"
    path.parent.mkdir()
    path.write_bytes(content)
    message = refusal("search", f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")
    assert message.startswith(str(path))
    assert words in message


def test_a_defaults_list_that_is_none(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("defaults: {data: digits}\n")
    message = refusal("search", f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")
    assert "Invalid defaults list in 'experiment/mine'" in message
    assert "write each of its lines as - GROUP: CHOICE" in message


@pytest.mark.parametrize("argument", ["epochs", "space.operations=[none", "a=b=c", "=3"])
def test_syntax_error(argument):
    refusal("search", argument)


def test_our_own_errors_pass_and_bugs_do_not():
    assert user_message(UserError("mend it so")) == "mend it so"
    assert user_message(ZeroDivisionError("ours")) is None
    assert user_message(ValueError("ours")) is None


def test_a_bug_in_the_handling_of_our_own_error_is_a_bug():
    error = ZeroDivisionError("ours")
    error.__context__ = UserError("mend it so")
    assert user_message(error) is None


def failed_mkdir(make):
    """The error of a function that makes a folder where there cannot be one."""
    with pytest.raises(OSError) as caught:
        make()
    return caught.value


def test_only_for_a_folder_of_a_sweep_is_another_one_advised(tmp_path):
    (tmp_path / "file").touch()
    error = failed_mkdir(lambda: _save_config(OmegaConf.create(), "x", tmp_path / "file" / "x"))
    assert user_message(error) == (
        f"{tmp_path}/file/x: no folder can be made there (Not a directory); take another by "
        "runs=FOLDER"
    )
    assert user_message(failed_mkdir((tmp_path / "file" / "x").mkdir)) is None


def test_a_key_that_does_not_exist_cannot_be_added():
    with pytest.raises(UserError, match=r"\+epohcs=3: SearchConfig has no key epohcs"):
        refuse_new_keys(c.SearchConfig, ["seed=1", "+epohcs=3"])
    refuse_new_keys(c.SearchConfig, ["seed=1", "+experiment=demo_search", "scheme=darts"])


def test_constants_of_a_recipe_that_another_value_does_not_have():
    words = ("genotype=darts_v2", "recipe=vs_sam", "objective=cross_entropy")
    assert refusal("retrain", *words).startswith(
        "recipe=vs_sam sets objective.gamma, which the value chosen for objective does not have: "
        "leave out objective=..., or take another recipe"
    )
