"""Results that the paper has published, read from published.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PAPER: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

SOURCE: str = _PAPER["source"]
"""Paper that all published results come from."""
IMBALANCE: str = _PAPER["table_1"]["imbalance"]
"""Imbalance of table I and of the cells in figure 9."""
NAMES: dict[str, str] = {
    scheme: result["name"] for scheme, result in _PAPER["table_1"]["schemes"].items()
}
"""Name in the paper of each scheme of table I, in the order of the table."""
ACCURACIES: dict[str, float] = {
    scheme: result["accuracy"] for scheme, result in _PAPER["table_1"]["schemes"].items()
}
"""Accuracy of each scheme of table I on the balanced test set of CIFAR-10, in [0, 1]."""
POINTS_LOST: dict[str, str] = _PAPER["section_4_d1"]
"""Range of percentage points that long tails cost a method on the balanced test set, and the
method's name in the paper (section IV-D1)."""
CELLS: dict[str, str] = _PAPER["section_4_d2"]
"""Operations of the normal and the reduction cell in figure 9, and the name of the method that
found them (section IV-D2)."""
