"""The two pictures that the page of ResNets shows first, there before the page is."""

from __future__ import annotations

from node_core.studies.resnets.shipped import QUESTIONS
from pages.ui.first_picture import FirstPicture
from pages.ui.live.first_picture import live_first_picture

_LAYERS = ["boundary", "points", "paths"]
_VIEW = {"height": 470, "layers": _LAYERS, "offered": _LAYERS}


def first_picture() -> FirstPicture | None:
    """The net in few layers and in the limit; no run of these is ever played, so that they are always right."""
    shown = [(QUESTIONS[name], _VIEW) for name in ("depth_moons", "flow_moons")]
    return live_first_picture(
        "resnets", "ResNets to ODEs", shown, columns=(0.0, 1.0, 0.0), gap=142, live=False
    )
