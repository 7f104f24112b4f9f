"""The way back that the Adjoint page shows first, there before the page is."""

from __future__ import annotations

from node_core.runs.shipped import find
from node_core.studies.adjoint.shipped import QUESTIONS
from pages.ui.adjoint.player import CSS, HTML, SCRIPT, player_data
from pages.ui.first_picture import Component, FirstPicture
from pages.ui.lessons import lesson_titled


def first_picture() -> FirstPicture | None:
    """The shipped gradient in its player; None if it was not shipped."""
    found = find(*QUESTIONS["gradient"])
    if found is None:
        return None
    data = player_data(found.answer)
    lead = lesson_titled("Adjoint").question
    return FirstPicture(
        "adjoint", "Adjoint", lead, SCRIPT, (Component(HTML, CSS, data),), columns=(0.0, 2.66, 1.0), gap=72
    )
