"""Names in the columns of a history."""

from ltnas.runs.columns import other_learners


def test_learners_are_found_by_their_losses_and_accuracies():
    first = ["epoch", "train_loss", "train_accuracy", "architecture_loss", "accuracy_balanced"]
    assert other_learners(first) == []
    student = ["architecture_loss_student", "student_loss", "student_accuracy"]
    assert other_learners([*first, *student]) == ["student"]
    numbers = [f"learner_{number}_{name}" for number in (2, 3) for name in ("loss", "accuracy")]
    assert other_learners(numbers) == ["learner_2", "learner_3"]
