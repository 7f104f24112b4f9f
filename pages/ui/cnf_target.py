"""Densities that people bring along: drawn on a pad or taken from a picture. A mistake leaves the last one."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st
from PIL import Image, ImageDraw

from node_core.cnf.painted import MAX_CENTRES, MAX_IMAGE_BYTES, TargetConfig, make_target
from node_core.training.cnf_config import CNFConfig
from pages.ui.address import sentence
from pages.ui.draw import density_pad
from pages.ui.layout import switch
from pages.ui.live import live_runs

_PAD, _FILE = "density", "picture"
_DRAWN, _IMAGE, _TROUBLE = "cnf drawn", "cnf image", "cnf drawing trouble"
_SCALE = 1.6  # the pad shows -2 to 2, a target's window is -4 to 4, and the pen's width stays inside of it


def drawn_target() -> TargetConfig:
    """Show the pad; the drawing that is to be learned."""
    kept: TargetConfig = st.session_state.get(_DRAWN) or _of_run("drawn") or heart()
    rows = [[stroke[0][0] / _SCALE, stroke[0][1] / _SCALE, 0] for stroke in kept.strokes]
    density_pad(rows, _PAD, _take_drawing)
    if st.session_state.get(_TROUBLE):
        st.error(st.session_state[_TROUBLE], icon=":material/error:")
    return kept


def image_target() -> TargetConfig:
    """Ask for a picture; its density, or that of the last good one, or of a face before there was any."""
    file = st.file_uploader(
        "Picture (PNG or JPEG)",
        type=["png", "jpg", "jpeg"],
        key=_FILE,
        help=f"Dark is dense. At most {MAX_IMAGE_BYTES // 1_000_000} MB; it is shrunk to 128 pixels a side.",
    )
    invert = switch("Light is dense", "invert", help="For a light shape on a dark ground.")
    kept: TargetConfig = (
        st.session_state.get(_IMAGE) or _of_run("image") or TargetConfig("image", image=face())
    )
    wanted = replace(kept, image=kept.image if file is None else file.getvalue(), invert=invert)
    if wanted != kept:
        try:
            kept = checked(wanted)
        except ValueError as error:
            st.error(sentence(error), icon=":material/error:")
    st.session_state[_IMAGE] = kept
    if kept.image == face():
        st.caption("Until you choose one, the flow learns this face.")
    return kept


def checked(config: TargetConfig) -> TargetConfig:
    """The config, if a density can be made of it.

    Raises:
        ValueError: an empty drawing, a white picture, too large a file ...
    """
    make_target(config)
    return config


def read_strokes(answer: Any) -> TargetConfig:
    """The density of a drawing as the browser sent it: rows [x, y, class], each a dot of the pen.

    Raises:
        ValueError: it is empty, or no list of such rows; the sentence names the remedy.
    """
    if not isinstance(answer, Sequence) or not all(_is_row(row) for row in answer):
        raise ValueError("the drawing can't be read: clear it and draw again.")
    every = max(1, math.ceil(len(answer) / MAX_CENTRES))
    dots = tuple(((_SCALE * row[0], _SCALE * row[1]),) for row in answer[::every])
    return checked(TargetConfig("drawn", strokes=dots))


def heart() -> TargetConfig:
    """What the pad shows at first."""
    angles = [2 * math.pi * k / 60 for k in range(60)]
    points = [
        (
            round(0.15 * 16 * math.sin(a) ** 3, 3),
            round(
                0.15 * (13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) + 0.3,
                3,
            ),
        )
        for a in angles
    ]
    return TargetConfig("drawn", strokes=tuple((point,) for point in points))


@functools.lru_cache(maxsize=1)
def face() -> bytes:
    """The picture that is learned until another is chosen, a PNG."""
    paper = Image.new("L", (160, 160), "white")
    pen = ImageDraw.Draw(paper)
    pen.ellipse((10, 10, 150, 150), outline="black", width=12)
    pen.arc((42, 42, 118, 118), 20, 160, fill="black", width=12)
    for x in (56, 104):
        pen.ellipse((x - 10, 48, x + 10, 72), fill="black")
    out = io.BytesIO()
    paper.save(out, "PNG")
    return out.getvalue()


def _take_drawing() -> None:
    """Take the drawing (in a callback, before the next run)."""
    try:
        st.session_state[_DRAWN] = read_strokes(st.session_state[_PAD].points)
        st.session_state[_TROUBLE] = ""
    except ValueError as error:
        st.session_state[_TROUBLE] = sentence(error)


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(isinstance(v, int | float) for v in row)


def _of_run(name: str) -> TargetConfig | None:
    """The target of the run in the page's address: after F5 the session is a new one, but the run goes on."""
    runs, token = live_runs(), st.query_params.get("run")
    if token is None or token not in runs:
        return None
    config = runs.look(token).config
    return config.target if isinstance(config, CNFConfig) and config.target.name == name else None
