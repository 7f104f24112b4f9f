"""What the canvas players of several lessons share: short lists of numbers, and the scripts of assets/player/."""

from __future__ import annotations

import numpy as np

from node_core.visualization.style import Floats
from pages.ui.layout import ASSETS


def rounded(values: Floats, digits: int = 5) -> list[float | None]:
    """Values with `digits` significant digits; None (JSON's null) for what is not finite."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]


def with_player(script: str) -> str:
    """A component's inline script with the functions of assets/player/: an inline module can import nothing."""
    shared = sorted((ASSETS / "player").glob("*.js"))
    return "\n".join([script, *(path.read_text(encoding="utf-8") for path in shared)])
