"""Learners of a search on the page of a report."""

import pytest

from ltnas.reports.learners import learners

FIRST = "epoch,train_loss,train_accuracy,architecture_loss_student,student_loss,student_accuracy"


def test_each_learner_has_its_numbers_of_the_last_epoch(tmp_path):
    (tmp_path / "history.csv").write_text(f"{FIRST}\n0,2.5,0.1,2,2.4,0.2\n1,1.25,0.5,2,1.5,0.404\n")
    assert learners(tmp_path) == [
        ["supernet", "training loss 1.250, accuracy 50.0 %"],
        ["student", "training loss 1.500, accuracy 40.4 %"],
    ]


def test_a_loss_that_is_not_finite_is_no_number(tmp_path):
    (tmp_path / "history.csv").write_text(f"{FIRST}\n0,2.5,0.1,2,nan,0.2\n")
    assert learners(tmp_path)[1] == ["student", "diverged"]


@pytest.mark.parametrize(
    "text", [None, "", FIRST, "epoch,train_loss,train_accuracy\n0,1,1\n", f"{FIRST}\n0,a,b,c,d,e\n"]
)
def test_other_histories_have_none(tmp_path, text):
    if text is not None:
        (tmp_path / "history.csv").write_text(text)
    assert learners(tmp_path) == []
