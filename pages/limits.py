"""Limits: what Neural ODEs are bad at, measured, each with its remedy; and what they buy. Studies -> six panels."""

from __future__ import annotations

import streamlit as st

from node_core.studies.limits.gains_config import GainsConfig, GainsResult
from node_core.studies.limits.snippets import gains_snippet
from node_core.visualization.limits.gains import gains
from pages.ui.address import Url
from pages.ui.later import rest_may_come
from pages.ui.layout import explain, lesson_header, show_code
from pages.ui.limits.panels import (
    gradients,
    memory_of,
    not_a_flow,
    not_always_better,
    part_of_the_model,
    slow_training,
    speed_of,
    stiffness,
)
from pages.ui.live.controls import show_complaints
from pages.ui.study import study

GAINS = "node_core.studies.limits.gains:run"
PANELS = (slow_training, stiffness, gradients, not_a_flow, not_always_better, part_of_the_model)


def _gains() -> None:
    """What is bought, before what is paid."""
    asked = GainsConfig()
    result: GainsResult | None = study(GAINS, asked)
    if result is None:
        return
    found = gains(result, memory_of(), speed_of("digits"))
    for column, gain in zip(st.columns(len(found)), found, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{gain.title}**  \n:green[**{gain.value}**]")
            st.caption(gain.sentence)
    explain(
        "This is what continuous depth buys, measured on nets of these lessons. Below is what it costs, measured on "
        "the same, and what helps."
    )
    show_code(gains_snippet(asked))


def _page() -> None:
    lesson_header("Limits")
    said = st.container()
    _gains()
    if not rest_may_come():
        return
    url = Url()
    for panel in PANELS:
        panel(url)
    with said:
        show_complaints(url)


_page()
