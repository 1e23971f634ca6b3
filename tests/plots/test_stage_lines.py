"""Lines where the stages of a search begin."""

from ltnas.plots.figure import new_figure
from ltnas.plots.stage_lines import first_epochs, mark_stages, stages_of
from ltnas.runs.folder import RunFolder


def test_a_stage_begins_where_its_number_changes(tmp_path):
    rows = [{"epoch": str(epoch), "stage": stage} for epoch, stage in enumerate("111223")]
    assert first_epochs(rows) == [4, 6]
    assert first_epochs([{"epoch": "0"}, {"epoch": "1"}]) == []
    assert stages_of(RunFolder(tmp_path)) == []
    (tmp_path / "history.csv").write_text("epoch,stage\n0,1\n1,2\n")
    assert stages_of(RunFolder(tmp_path)) == [2]


def test_a_line_lies_between_the_last_epoch_of_a_stage_and_the_next():
    panel = new_figure(2, 2).subplots()
    mark_stages(panel, [4, 6])
    assert [line.get_xdata()[0] for line in panel.lines] == [3.5, 5.5]
