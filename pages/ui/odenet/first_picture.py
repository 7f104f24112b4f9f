"""The net that the ODE-Net page shows first, there before the page is."""

from __future__ import annotations

from node_core.studies.odenet.shipped import QUESTIONS
from pages.ui.first_picture import FirstPicture
from pages.ui.live.first_picture import live_first_picture


def first_picture() -> FirstPicture | None:
    """The trained beginning on circles."""
    shown = [(QUESTIONS["circles"], {"height": 500, "steps": ["forward", "backward"]})]
    return live_first_picture("odenet", "ODE-Net", shown, columns=(0.0, 2.66, 1.0), gap=156, live=True)
