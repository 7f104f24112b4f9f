"""The pendulum that the Control page shows first, there before the page is."""

from __future__ import annotations

from node_core.runs.shipped import find
from node_core.studies.control.shipped import FIRST, QUESTIONS
from pages.ui.control.stage import HEIGHT, ROOM, SCRIPT, STAGE, of_config
from pages.ui.first_picture import Component, FirstPicture
from pages.ui.lessons import lesson_titled
from pages.ui.live.run import CANVAS_SCRIPT
from pages.ui.live.socket import asset_address

_SHARED = (
    "clock.js", "keeper.js", "mlp.js", "numbers.js", "run_view.js", "sheet.js", "socket.js", "style.js", "theme.js",
    "views.js", "waiting.js", "wire.js",
)  # fmt: skip
"""Of assets/live, what the stage is drawn with."""


def first_picture() -> FirstPicture | None:
    """The trained beginning that swings up, in motion."""
    found = find(*QUESTIONS["swing_up"])
    if found is None:
        return None
    data = {
        "module": asset_address(SCRIPT),
        "height": HEIGHT,
        "plant": of_config(FIRST),
        "driver": "net",
        "begun": 0,
        "subject": FIRST.of_plant().name,
    }
    needs = [*_SHARED, *(f"control/{path.name}" for path in sorted(ROOM.glob("*.js")))]
    return FirstPicture(
        "control",
        "Control",
        lesson_titled("Control").question,
        CANVAS_SCRIPT,
        [Component(STAGE, data=data, picture=found.answer.snapshot)],
        (0.0, 2.66, 1.0),
        156,
        True,
        [asset_address(name) for name in needs],
    )
