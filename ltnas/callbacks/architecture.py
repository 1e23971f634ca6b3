"""The architecture after each epoch: mixing weights of every edge, and the selected genotype."""

from __future__ import annotations

from typing import Any

import lightning as L

from ltnas.callbacks.history import to_csv
from ltnas.runs.folder import RunFolder
from ltnas.space.layout import edges
from ltnas.training.search_module import SearchModule

EDGE = "edge"
"""Name in the column of operations for the weight of an edge itself."""


class ArchitectureHistory(L.Callback):
    """Writes architecture.csv (epoch, cell, node, source, operation, weight) and genotypes.json.

    Where edges have weights of their own, these are rows whose operation is `EDGE`.
    An edge has a row for each of its operations, and none for those that a mask leaves out.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.rows: list[dict[str, float | str]] = []
        self.genotypes: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Add this epoch to both files."""
        assert isinstance(module, SearchModule)
        supernet, epoch = module.network.supernet, module.epoch
        # Computed once an epoch, and shared with the history.
        architecture = module.architecture()
        for kind, values in architecture.mixing.items():
            own = architecture.edges.get(kind)
            for index, ((node, source), row) in enumerate(
                zip(edges(supernet.nodes), values.tolist(), strict=True)
            ):
                edge: dict[str, float | str] = {
                    "epoch": epoch,
                    "cell": kind,
                    "node": node,
                    "source": source,
                }
                named = zip(supernet.operation_names, row, supernet.masks[kind][index], strict=True)
                weights = {name: weight for name, weight, there in named if there}
                if own is not None:
                    weights[EDGE] = float(own[index])
                self.rows += [
                    {**edge, "operation": name, "weight": weight}
                    for name, weight in weights.items()
                ]
        self.genotypes.append({"epoch": epoch, **architecture.genotype.to_json()})
        # The whole file each time: a file that is renamed into place cannot be appended to.
        self.folder.write_text("architecture.csv", to_csv(self.rows))
        self.folder.write_json("genotypes.json", self.genotypes)

    def state_dict(self) -> dict[str, Any]:
        """Return rows and genotypes so far, in plain types."""
        return {"rows": self.rows, "genotypes": self.genotypes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after these rows and genotypes."""
        self.rows, self.genotypes = list(state_dict["rows"]), list(state_dict["genotypes"])
