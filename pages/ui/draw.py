"""A pad on which people draw their own data: classes by colour, sent to the page when they ask to train on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from node_core.assets import ASSETS
from node_core.data.dataset import DataConfig
from node_core.data.drawn import drawn_config
from node_core.data.strokes import Strokes, check_strokes

_FILES = ASSETS / "draw"
_REACH = 2.0  # a pad shows -2 to 2 in both directions
_pad = st.components.v2.component(
    "drawing_pad",
    html=(_FILES / "draw.html").read_text(encoding="utf-8"),
    css=(_FILES / "draw.css").read_text(encoding="utf-8"),
    js=(_FILES / "draw.js").read_text(encoding="utf-8"),
)


def drawing_pad(start: DataConfig, key: str, on_points: Callable[[], None]) -> object:
    """Mount the pad; what was drawn when "Train on these" was last pressed in this run of the script, or None.

    Args:
        start: the drawing to begin with (later ones stay in the browser).
        key: of the component; the session state holds its answer as `st.session_state[key].points`.
        on_points: called before the page reruns with new points.
    """
    rows = [[*point, label] for point, label in zip(start.points, start.labels, strict=True)]
    return _pad(key=key, data={"points": rows}, on_points_change=on_points).points


def density_pad(rows: Sequence[Sequence[float]], key: str, on_points: Callable[[], None]) -> object:
    """Mount a pad without classes, for a density; its answer is as `drawing_pad`'s.

    Args:
        rows: points [x, y, 0] within [-2, 2] to begin with.
        key: of the component.
        on_points: called before the page reruns with new points.
    """
    data = {"points": [list(row) for row in rows], "classes": 1, "use": "Learn this density"}
    return _pad(key=key, data=data, on_points_change=on_points).points


def stroke_pad(key: str, use: str, on_points: Callable[[], None]) -> object:
    """Mount a pad to write on, empty at first; its answer is as `drawing_pad`'s, a class a line of the pen.

    Args:
        key: of the component.
        use: what its button says.
        on_points: called before the page reruns with a new drawing.
    """
    data = {"points": [], "classes": 1, "strokes": True, "use": use}
    return _pad(key=key, data=data, on_points_change=on_points).points


def read_strokes(answer: Any) -> Strokes:
    """The lines of a drawing as the browser sent it, in the square from 0 to 1, y downwards.

    Raises:
        ValueError: it is empty, a dot, or no list of rows [x, y, line]; the sentence names the remedy.
    """
    lines: dict[float, list[tuple[float, float]]] = {}
    for x, y, line in read_rows(answer):
        lines.setdefault(line, []).append((0.5 + x / (2 * _REACH), 0.5 - y / (2 * _REACH)))
    strokes = tuple(tuple(points) for points in lines.values())
    check_strokes(strokes)
    return strokes


def read_drawing(answer: Any, seed: int) -> DataConfig:
    """The data of a drawing as the browser sent it: rows [x, y, class].

    Raises:
        ValueError: it is empty, has one class, or is no list of such rows; the sentence names the remedy.
    """
    rows = read_rows(answer)
    return drawn_config([row[:2] for row in rows], [int(row[2]) for row in rows], seed=seed)


def read_rows(answer: Any) -> Sequence[Sequence[float]]:
    """The rows [x, y, class] of a drawing as the browser sent it.

    Raises:
        ValueError: it is no list of such rows; the sentence names the remedy.
    """
    if not isinstance(answer, Sequence) or not all(_is_row(row) for row in answer):
        raise ValueError("the drawing can't be read: clear it and draw again.")
    return answer


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(_is_small(value) for value in row)


def _is_small(value: Any) -> bool:
    """JSON knows numbers of any length: one that no float holds is refused as early as a word (NaN too)."""
    return isinstance(value, int | float) and abs(value) < 1e9
