"""The race that the Solvers page shows first, there before the page is."""

from __future__ import annotations

from node_core.runs.shipped import find
from node_core.studies.solvers.shipped import QUESTIONS
from pages.ui.first_picture import Component, FirstPicture
from pages.ui.lessons import lesson_titled
from pages.ui.solvers.player import CSS, HTML, SCRIPT, player_data


def first_picture() -> FirstPicture | None:
    """The shipped race in its player; None if it was not shipped."""
    found = find(*QUESTIONS["race"])
    if found is None:
        return None
    data = player_data(found.answer, (0, 1), log_time=False, pick=True)
    lead = lesson_titled("Solvers").question
    return FirstPicture(
        "solvers", "Solvers", lead, SCRIPT, (Component(HTML, CSS, data),), columns=(0.0, 2.66, 1.0), gap=72
    )
