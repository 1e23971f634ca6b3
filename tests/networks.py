"""Search networks for tests."""

from ltnas.axes.relaxations import Softmax
from ltnas.config import OPERATIONS
from ltnas.models.cell_design import CellDesign
from ltnas.models.search_network import build_search_network


def search_network(
    operations=OPERATIONS,
    nodes=4,
    channels=4,
    cells=3,
    classes=10,
    relaxation=None,
    deviation=1e-3,
    design=None,
    **options,
):
    """A search network; softmax by default.

    `design` holds further settings of `CellDesign`.
    """
    return build_search_network(
        design=CellDesign(tuple(operations), nodes, **(design or {})),
        channels=channels,
        cells=cells,
        classes=classes,
        relaxation=relaxation or Softmax(),
        initial_deviation=deviation,
        **options,
    )
