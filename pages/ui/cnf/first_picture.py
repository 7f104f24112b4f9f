"""The flow that the CNF page shows first, there before the page is."""

from __future__ import annotations

from node_core.studies.cnf.shipped import QUESTIONS
from pages.ui.first_picture import FirstPicture
from pages.ui.live.first_picture import live_first_picture

_VIEW = {
    "height": 600,
    "views": ["plane", "time"],
    "layers": ["boundary", "particles", "grid"],
    "steps": ["noise to data", "data to noise"],
}


def first_picture() -> FirstPicture | None:
    """The trained flow of two moons."""
    shown = [(QUESTIONS["two_moons"], _VIEW)]
    return live_first_picture("cnf", "CNF", shown, columns=(0.0, 2.66, 1.0), gap=156, live=True)
