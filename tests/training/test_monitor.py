"""What a test pass keeps: predictions and confidences of `test_logits`, on each test set."""

import pytest
import torch

from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.training.monitor import MeasuringModule

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0], [1.0, 1.5, 0.0], [0.0, 0.0, 4.0]])
LABELS = torch.tensor([0, 1, 0, 2])
PART = torch.tensor([0, 2])
GROUPS = {"many": [0], "medium": [], "few": [1, 2]}


class Module(MeasuringModule):
    """Predicts what it is shown."""

    def test_logits(self, images):
        return images


def after_a_test(logits=LOGITS):
    module = Module(torch.nn.Linear(1, 1), TestSets(3, PART, GROUPS), 0)
    for rows in (slice(0, 3), slice(3, 4)):
        module.validation_step(Batch((logits[rows],), LABELS[rows]), 0)
    module.on_validation_epoch_end()
    return module


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_numbers_of_both_test_sets(kind):
    numbers = after_a_test(LOGITS.to(kind)).test_numbers()
    assert numbers["accuracy_balanced"] == 0.75
    assert numbers["accuracy_long_tailed"] == 0.5
    assert numbers["many_balanced"] == 0.5
    assert numbers["few_balanced"] == 1.0
    assert "medium_balanced" not in numbers  # no class is medium-shot
    assert "few_long_tailed" not in numbers  # and none of the part is few-shot
    confidences = LOGITS.softmax(1).amax(1)
    # each confidence lies in a bin of its own
    gaps = (torch.tensor([1.0, 1.0, 0.0, 1.0]) - confidences).abs()
    assert len({int(15 * confidence) for confidence in confidences}) == 4
    assert numbers["calibration_error_balanced"] == pytest.approx(float(gaps.mean()), abs=1e-6)


def test_an_unbalanced_test_split_is_not_called_balanced():
    module = Module(torch.nn.Linear(1, 1), TestSets(3, None, GROUPS, "test"), 0)
    module.confusions = {"balanced": torch.eye(3)}  # of a checkpoint of an earlier version
    module.validation_step(Batch((LOGITS,), LABELS), 0)
    module.on_validation_epoch_end()
    assert set(module.results(("a", "b", "c"))["test"]) == {"test"}
    # Three of four images, and one class of three halfway.
    assert module.test_accuracies() == {
        "accuracy_test": 0.75,
        "macro_accuracy_test": pytest.approx((0.5 + 1 + 1) / 3),
    }


def test_a_thousand_classes_have_results_without_a_matrix():
    module = Module(torch.nn.Linear(1, 1), TestSets(1000, None, {"many": [3], "few": [999]}), 0)
    labels = torch.tensor([3, 3, 999])
    module.validation_step(Batch((torch.nn.functional.one_hot(labels, 1000),), labels), 0)
    module.on_validation_epoch_end()
    (report,) = module.results(tuple(map(str, range(1000))))["test"].values()
    assert "confusion" not in report
    assert (report["accuracy"], report["few"], report["images"]) == (1.0, 1.0, 3)
    assert module.test_numbers()["macro_accuracy_balanced"] == 1.0


def test_logits_that_give_one_probability_are_told_apart():
    close = torch.tensor([[0.1, 0.1 + 1e-8]])
    assert close.softmax(1)[0, 0] == close.softmax(1)[0, 1]
    module = Module(torch.nn.Linear(1, 1), TestSets(2, torch.tensor([0]), {}), 0)
    module.validation_step(Batch((close,), torch.tensor([1])), 0)
    assert module.predictions[0].item() == int(close.argmax(1))


def test_a_checkpoint_brings_the_tests_back():
    module, checkpoint = after_a_test(), {}
    module.on_save_checkpoint(checkpoint)
    other = Module(torch.nn.Linear(1, 1), TestSets(3, PART, GROUPS), 0)
    other.on_load_checkpoint(checkpoint)
    assert other.test_numbers() == module.test_numbers()
    del checkpoint["class_counts"]  # as of version 0.1.0
    old = Module(torch.nn.Linear(1, 1), TestSets(3, PART, GROUPS), 0)
    old.on_load_checkpoint(checkpoint)
    assert old.results(tuple("abc")) == module.results(tuple("abc"))


def test_each_test_forgets_the_one_before():
    module = after_a_test()
    first = module.test_numbers()
    module.validation_step(Batch((LOGITS,), LABELS), 0)
    module.on_validation_epoch_end()
    assert module.test_numbers() == first


def test_images_for_validation_have_results_of_their_own():
    tests = TestSets(3, PART, GROUPS, validation=2)
    module = Module(torch.nn.Linear(1, 1), tests, 0)
    module.validation_step(Batch((LOGITS,), LABELS), 0)
    module.validation_step(Batch((LOGITS[:2],), torch.tensor([0, 2])), 0)
    module.on_validation_epoch_end()
    names, plain = ("a", "b", "c"), after_a_test()
    results = module.results(names)
    assert results["test"] == plain.results(names)["test"]
    assert set(plain.results(names)) == {"test"}
    assert results["validation"]["images"] == 2
    assert results["validation"]["per_class"] == {"a": 1.0, "b": None, "c": 0.0}
    assert module.test_numbers()["macro_accuracy_validation"] == 0.5
    assert module.test_accuracies()["accuracy_validation"] == 0.5
