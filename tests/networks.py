"""Search networks for tests."""

from ltnas.axes.relaxations import Softmax
from ltnas.config import OPERATIONS
from ltnas.models.search_network import build_search_network


def search_network(
    operations=OPERATIONS,
    nodes=4,
    channels=4,
    cells=3,
    classes=10,
    relaxation=None,
    deviation=1e-3,
    **options,
):
    """A search network; softmax by default."""
    return build_search_network(
        operations=list(operations),
        nodes=nodes,
        channels=channels,
        cells=cells,
        classes=classes,
        relaxation=relaxation or Softmax(),
        initial_deviation=deviation,
        **options,
    )
