"""A digit drawn with the mouse: what each trained net takes it for, and its path among the test images."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from node_core.studies.architectures.questions_config import DigitConfig, DigitResult, Net
from node_core.visualization.architectures.digit import path_figure, path_info
from node_core.visualization.architectures.gallery import GalleryInfo, gallery_figure
from pages.ui.address import sentence
from pages.ui.architectures.controls import NETS
from pages.ui.draw import read_strokes, stroke_pad
from pages.ui.layout import explain
from pages.ui.study import study

DIGIT = "node_core.studies.architectures.digit:run"
_PAD, _DRAWN, _TROUBLE = "digit", "architectures digit", "architectures digit trouble"
A_ROW = 3
STILL = {"displayModeBar": False}


def digit_tab(nets: Mapping[str, Net]) -> None:
    """Draw the pad and, beside and below it, the answers of the nets that are trained."""
    left, right = st.columns([1, 1.5], gap="medium")
    with left:
        stroke_pad(_PAD, "Ask the nets", _take)
    with right:
        if st.session_state.get(_TROUBLE):
            st.error(st.session_state[_TROUBLE], icon=":material/error:")
        drawn = st.session_state.get(_DRAWN)
        if not nets:
            st.info("No net is trained yet: press Play above.", icon=":material/info:")
        elif drawn is None:
            st.info("Draw a digit from 0 to 9, and ask the nets.", icon=":material/draw:")
        else:
            _answers(nets, drawn)


def _answers(nets: Mapping[str, Net], drawn: tuple[tuple[tuple[float, float], ...], ...]) -> None:
    try:
        asked = DigitConfig(tuple(nets.values()), drawn)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return
    result: DigitResult | None = study(DIGIT, asked, time_limit=60.0)
    if result is None:
        return
    image, table = st.columns([1, 2.4], vertical_alignment="center")
    with image:
        side = result.image.shape[0]
        caption = f"{side} × {side} pixels"
        figure = gallery_figure(GalleryInfo(result.image[None], (caption,)), a_row=1)
        st.plotly_chart(figure, key="drawn_image", config=STILL)
    with table:
        st.table(
            {
                "Net": [NETS[name] for name in nets],
                "Answer": [answer.answer for answer in result.answers],
                "Sure": [f"{answer.probabilities.max():.0%}" for answer in result.answers],
                "NFE": [str(answer.nfe or "–") for answer in result.answers],
            },
            hide_index=True,
        )
    pairs = list(zip(nets, result.answers, strict=True))
    for start in range(0, len(pairs), A_ROW):
        for column, (name, answer) in zip(st.columns(A_ROW), pairs[start : start + A_ROW], strict=False):
            with column:
                st.markdown(f"**{NETS[name]}**: {answer.answer}")
                st.plotly_chart(path_figure(path_info(answer)), key=f"path_{name}", config=STILL)
    explain(
        "The drawing is cut out and averaged over pixels as the digits of the data are. Grey is its path through the "
        "depth of each net, to where that net reads its answer; the digits are test images at the end of theirs. An "
        "MLP, and a net without a block, has no depth to go through."
    )


def _take() -> None:
    """Keep what was drawn, or say what is wrong with it (in a callback, before the next run)."""
    try:
        st.session_state[_DRAWN] = read_strokes(st.session_state[_PAD].points)
        st.session_state[_TROUBLE] = ""
    except ValueError as error:
        st.session_state[_TROUBLE] = sentence(error)
