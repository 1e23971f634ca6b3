"""Names in the columns of a history."""

from ltnas.runs.columns import other_learners


def test_learners_are_found_by_their_losses():
    columns = ["epoch", "train_loss", "architecture_loss", "architecture_loss_student"]
    assert other_learners(columns) == []
    assert other_learners([*columns, "student_loss", "student_accuracy"]) == ["student"]
    assert other_learners(["learner_2_loss", "learner_3_loss"]) == ["learner_2", "learner_3"]
    assert other_learners(["audience_loss", "my_student_loss"]) == ["audience"]
