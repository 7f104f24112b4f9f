"""Densities that people bring along: drawn on a pad or taken from a picture. A mistake leaves the last one."""

from __future__ import annotations

import functools
import io
import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import streamlit as st
from PIL import Image, ImageDraw

from node_core.cnf.painted import MAX_CENTRES, TargetConfig, make_target
from node_core.cnf.pictures import MAX_IMAGE_BYTES, SmallPicture
from node_core.training.flow.config import CNFConfig
from pages.ui.address import sentence, set_control
from pages.ui.cnf.lesson import CNF
from pages.ui.draw import density_pad, read_rows
from pages.ui.layout import switch
from pages.ui.live.own_data import OwnData
from pages.ui.study import read_upload

SHRINK = "node_core.cnf.pictures:shrunk"
_PAD, _FILE = "density", "picture"
_SCALE = 1.6  # the pad shows -2 to 2, a target's window is -4 to 4, and the pen's width stays inside of it


def _target(config: CNFConfig) -> TargetConfig:
    return config.target


DRAWN, PICTURE = OwnData(CNF, "drawn", _target), OwnData(CNF, "image", _target)


def drawn_target() -> TargetConfig:
    """Show the pad; the drawing that is to be learned."""
    kept = DRAWN.kept() or heart()
    rows = [[stroke[0][0] / _SCALE, stroke[0][1] / _SCALE, 0] for stroke in kept.strokes]
    density_pad(rows, _PAD, _take_drawing)
    DRAWN.complain()
    return kept


def image_target() -> TargetConfig:
    """Ask for a picture; its density, or that of the last good one, or of a face before there was any."""
    file = st.file_uploader(
        "Picture (PNG or JPEG)",
        type=["png", "jpg", "jpeg"],
        key=_FILE,
        on_change=_guess_paper,
        max_upload_size=MAX_IMAGE_BYTES // 1_000_000,
        help="Dark is dense. A photo may be as a telephone takes it; it is shrunk to 128 pixels a side.",
    )
    paper = switch(
        "A drawing on paper",
        "paper",
        help="For a photo: takes away the paper, however the light falls on it.",
    )
    invert = switch("Light is dense", "invert", help="For a light shape on a dark ground.")
    kept = PICTURE.kept() or TargetConfig("image", image=face())
    try:
        image = kept.image if file is None else _small(file.getvalue()).image
        wanted = replace(kept, image=image, invert=invert, paper=paper)
        kept = kept if wanted == kept else checked(wanted)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
    if kept.image != face():  # nobody's own: one that comes back with a lost run must find the place free
        PICTURE.keep(kept)
    else:
        st.caption("Until you choose one, the flow learns this face.")
    return kept


def _small(raw: bytes) -> SmallPicture:
    found: SmallPicture = read_upload(SHRINK, raw, _time_limit=20.0)
    return found


def _guess_paper() -> None:
    """Switch the paper's removal as the picture looks (in a callback, before the next run)."""
    file = st.session_state[_FILE]
    if file is not None:
        with suppress(ValueError):  # told when the page is drawn
            set_control("paper", _small(file.getvalue()).on_paper)


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
    rows = read_rows(answer)
    every = max(1, math.ceil(len(rows) / MAX_CENTRES))
    dots = tuple(((_SCALE * row[0], _SCALE * row[1]),) for row in rows[::every])
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
    DRAWN.take(lambda: read_strokes(st.session_state[_PAD].points))
