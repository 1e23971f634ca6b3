"""Search modules of successive stages: what each of them takes over from the one before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ltnas.axes.progression import SearchStage, keep_strongest, search_stages
from ltnas.config import SearchConfig
from ltnas.data.long_tail import LongTail
from ltnas.space.edge_masks import Masks, edge_masks
from ltnas.space.layout import edges
from ltnas.training.inheritance import inherit_weights, inherited_states
from ltnas.training.learner import Learner
from ltnas.training.search_module import SearchModule
from ltnas.training.search_parts import build_search


class StagedSearch:
    """Makes the module of each stage of a search, in order.

    Args:
        config: configuration of the search.
        accelerator: `gpu` or `cpu`.
        long_tail: images.
        masks: operations that each edge has at first, by kind of cell; None: those of the
            configured space.
        second: images of the interleaved learners beside the first; None: those of the first.

    Attributes:
        stages: the stages.
        records: for each stage its size, the operations of each edge, and those that were dropped
            with their strengths, in plain types.
    """

    def __init__(
        self,
        config: SearchConfig,
        accelerator: str,
        long_tail: LongTail,
        masks: Masks | None = None,
        second: LongTail | None = None,
    ) -> None:
        self.second = second
        self.config, self.accelerator, self.long_tail = config, accelerator, long_tail
        self.stages = search_stages(config)
        self.records: list[dict[str, Any]] = []
        self._operations = tuple(config.space.operations)
        self._masks = dict(masks or edge_masks(config.space, config.macro.kinds))
        self._before: tuple[dict[str, Learner], list[torch.optim.Optimizer]] | None = None
        self._strengths: dict[str, Tensor] | None = None

    def module(self, stage: SearchStage) -> SearchModule:
        """Return the module of a stage, after those before it were finished."""
        dropped = self._drop(stage)
        self.records.append(self._record(stage, dropped))
        module = build_search(
            self.config,
            self.accelerator,
            self.long_tail,
            stage=stage,
            masks=self._masks,
            second=self.second,
        )
        if self._before is not None and stage.inherits:
            before, optimisers = self._before
            for name, learner in module.learners().items():
                inherit_weights(before[name], learner)
                module.inherited[name] = inherited_states(before[name], learner, optimisers)
        self._before = None
        return module

    def finish(self, module: SearchModule, optimisers: list[torch.optim.Optimizer]) -> None:
        """Keep what the next stage needs of one that has ended."""
        self._strengths = module.network.strengths()
        learners = {name: learner.cpu() for name, learner in module.learners().items()}
        self._before = (learners, optimisers)

    def _drop(self, stage: SearchStage) -> list[dict[str, object]]:
        """Drop the weakest operations of each edge before a stage, and return which these are."""
        if stage.operations is None:
            return []
        dropped: list[dict[str, object]] = []
        layout = edges(self.config.space.nodes)
        for kind, mask in self._masks.items():
            if self._strengths is None:
                continue  # nothing has been learned yet
            strengths = self._strengths[kind]
            kept = keep_strongest(strengths, mask, self._operations, stage.operations)
            self._masks[kind] = kept
            for row, (node, source) in enumerate(layout):
                dropped += [
                    {
                        "cell": kind,
                        "node": node,
                        "source": source,
                        "operation": self._operations[column],
                        "strength": float(strengths[row, column]),
                    }
                    for column in range(len(self._operations))
                    if mask[row][column] and not kept[row][column]
                ]
        return dropped

    def _record(self, stage: SearchStage, dropped: list[dict[str, object]]) -> dict[str, Any]:
        """Return the description of a stage for its run folder."""
        layout = edges(self.config.space.nodes)
        return {
            "stage": stage.number + 1,
            "first_epoch": stage.first_epoch,
            "epochs": stage.epochs,
            "cells": stage.cells,
            "partial_channels": stage.partial_channels,
            "operations": {
                kind: {
                    f"{source} -> {node}": " ".join(
                        name for name, there in zip(self._operations, row, strict=True) if there
                    )
                    for (node, source), row in zip(layout, mask, strict=True)
                }
                for kind, mask in self._masks.items()
            },
            "dropped": dropped,
        }
