"""What the canvas players of several lessons share: short lists of numbers, and the scripts of assets/player/."""

from __future__ import annotations

import numpy as np

from node_core.assets import ASSETS
from node_core.visualization.style import Floats


def rounded(values: Floats, digits: int = 5) -> list[float | None]:
    """Values with `digits` significant digits; None (JSON's null) for what is not finite."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]


def inline_script(*paths: str) -> str:
    """A component's inline script, which can import nothing, after what all of them may call.

    Args:
        paths: below assets/, one after the other.
    """
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in ("component.js", *paths))


def with_player(script: str) -> str:
    """A component's inline script with the functions of assets/player/: an inline module can import nothing."""
    shared = sorted((ASSETS / "player").glob("*.js"))
    return "\n".join([script, *(path.read_text(encoding="utf-8") for path in shared)])
