"""Masks of a search space, from the operations that are listed for each edge."""

from ltnas.config import Space
from ltnas.space.edge_masks import edge_masks, full_mask
from ltnas.space.layout import edges


def test_without_lists_every_edge_has_every_operation():
    mask = full_mask(4, 8)
    assert len(mask) == len(edges(4)) == 14
    assert all(row == (True,) * 8 for row in mask)
    assert edge_masks(Space()) == {"normal": mask, "reduce": mask}
    kinds = ("normal", "enhancement")
    assert edge_masks(Space(), kinds) == {"normal": mask, "enhancement": mask}


def test_a_list_names_the_operations_of_each_edge():
    operations = ["none", "skip_connect", "noise"]
    listed = [["noise"], ["skip_connect", "none"]]
    found = edge_masks(Space(operations, nodes=1, reduce_edges=listed))
    assert found == {
        "normal": ((True, True, True), (True, True, True)),
        "reduce": ((False, False, True), (True, True, False)),
    }
