"""The picture of a live run that a page shows first, there before the page and its run are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node_core.runs.shipped import find
from pages.ui.first_picture import Component, FirstPicture
from pages.ui.lessons import lesson_titled
from pages.ui.live.run import CANVAS, CANVAS_SCRIPT
from pages.ui.live.socket import SCRIPTS, asset_address

_USUAL = {  # as `live_view` has it
    "view": "plane",
    "views": ["plane", "space", "time"],
    "layers": ["boundary", "points", "paths", "particles"],
    "offered": ["boundary", "points", "paths", "particles", "grid", "steps"],
    "steps": None,
    "euler": None,
}
_NOT_DRAWN_WITH = ("bar.js", "loader.js", "watch.js")


def live_first_picture(
    page: str,
    title: str,
    shown: Sequence[tuple[tuple[str, Any], Mapping[str, Any]]],
    *,
    columns: tuple[float, float, float],
    gap: int,
    live: bool,
) -> FirstPicture | None:
    """The shipped beginnings of runs in their canvases; None if one was not shipped.

    Args:
        page: its name in the address.
        title: of the lesson.
        shown: for each canvas the question (task and configuration) and how it is viewed, as for `live_view`.
        columns, gap, live: as of `FirstPicture`.
    """
    components = []
    for question, view in shown:
        found = find(*question)
        if found is None:
            return None
        data = {**_USUAL, **view, "module": asset_address("main.js"), "begun": 0}
        components.append(Component(CANVAS, data=data, picture=found.answer.snapshot))
    scripts = sorted(path.name for path in SCRIPTS.glob("*.js") if path.name not in _NOT_DRAWN_WITH)
    return FirstPicture(
        page,
        title,
        lesson_titled(title).question,
        CANVAS_SCRIPT,
        components,
        columns,
        gap,
        live,
        [asset_address(name) for name in scripts],
    )
