"""The first page's picture, there before the page is."""

from __future__ import annotations

import html

from node_core.assets import ASSETS
from pages.ui.first_picture import Component, FirstPicture

TITLE = "Neural ODEs that show their work"
LEAD = "From residual layers to a flow that a solver follows."
PICTURE = "The same field crossed in three Euler steps, in ten, and by its exact flow"


def svg() -> str:
    """The picture; its texts are of the colour of what it stands in."""
    return (ASSETS / "home.svg").read_text(encoding="utf-8")


def first_picture() -> FirstPicture:
    """The picture, as it stands in the page."""
    drawn = f'<div role="img" aria-label="{html.escape(PICTURE)}">{svg()}</div>'
    script = (ASSETS / "front" / "image.js").read_text(encoding="utf-8")
    return FirstPicture("", TITLE, LEAD, script, (Component(drawn),), gap=16)
