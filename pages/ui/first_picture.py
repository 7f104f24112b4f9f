"""A page's first picture stands in the page itself, and is painted before Streamlit has begun.

Streamlit needs a second or more until anything of ours is on the screen, several on a busy machine: its own scripts are
read, a connection is made, the page's script runs, and every element of the page is drawn at once. Here the address
is answered by Streamlit's page with a small script before Streamlit's own: it draws what the project ships (see
`node_core.runs.shipped`) with the scripts that the page will draw it with, and leaves when the page's own stands.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from node_core.assets import ASSETS
from pages.ui.lessons import HOME, LESSONS

_FILES = ASSETS / "front"
_FOLDER = "first-picture"
_FOR_EVER = "public, max-age=31536000, immutable"
_STREAMLIT = re.compile(r'<script type="module" crossorigin src="(\./static/js/[^"]+)"></script>')
_COLOURS = {
    "--st-text-color": "textColor",
    "--st-background-color": "backgroundColor",
    "--st-secondary-background-color": "secondaryBackgroundColor",
    "--st-primary-color": "primaryColor",
    "--st-border-color": "borderColor",
    "--st-chart-categorical-colors": "chartCategoricalColors",
    "--side": "sidebar.backgroundColor",
    "--side-chosen": "sidebar.secondaryBackgroundColor",
}


@dataclass(frozen=True)
class Component:
    """A component of a page as it mounts there, before anybody has touched it.

    Args:
        html, css: its inside.
        data: what the page gives it.
        picture: what it fetches, if it does; `data["picture"]` tells it from where.
    """

    html: str
    css: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes = b""


@dataclass(frozen=True)
class FirstPicture:
    """What stands in the place of a page until it is there.

    Args:
        page: its name in the address; "" for the first one.
        title, lead: its header.
        script: draws a component: the inline script that the page mounts.
        components: side by side.
        columns: room before all of them, for them, and after, as the page's columns.
        gap: pixels between the header and the picture: what the page has there.
        live: whether the page has runs, so that a tab that has been there may show another picture.
        needs: addresses of scripts that the picture is drawn with, relative to the app's.
    """

    page: str
    title: str
    lead: str
    script: str
    components: Sequence[Component]
    columns: tuple[float, float, float] = (0.0, 1.0, 0.0)
    gap: int = 0
    live: bool = False
    needs: Sequence[str] = ()


class FirstPictures:
    """The files of all first pictures, and the pages that draw them.

    Args:
        pictures: one for a page that has one.
        base: the path below which the app is served.
    """

    def __init__(self, pictures: Sequence[FirstPicture], base: str = "") -> None:
        self._pictures = {picture.page: picture for picture in pictures}
        self._files = {"first.js": (_FILES / "first.js").read_bytes()}
        for picture in pictures:
            name = picture.page or "home"
            self._files[f"{name}.js"] = _module(picture).encode()
            for i, component in enumerate(picture.components):
                if component.picture:
                    self._files[f"{name}{i}.bin"] = component.picture
        self._version = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:16]
        self._base = base

    def routes(self) -> list[BaseRoute]:
        """Where the files are served."""
        return [Route(f"{self._base}/{_FOLDER}/{{version}}/{{name}}", self._answer, methods=["GET"])]

    def into(self, page: str, index: str) -> str:
        """Streamlit's own page with the first picture of one of ours in it; as it is where there is none.

        Args:
            page: its name in the address.
            index: Streamlit's page.
        """
        picture, own = self._pictures.get(page), _STREAMLIT.search(index)
        if picture is None or own is None:
            return index
        start = Template((_FILES / "start.js").read_text(encoding="utf-8")).substitute(
            streamlit=own[1],
            first=f"./{self._address('first.js')}",
            page=f"./{page or 'home'}.js",
            live=json.dumps(picture.live),
        )
        name = page or "home"
        wanted = [self._address("first.js"), self._address(f"{name}.js"), *picture.needs]
        links = [f'<link rel="modulepreload" href="./{address}">' for address in wanted]
        links += [
            f'<link rel="preload" as="fetch" crossorigin href="./{self._address(file)}">'
            for file in self._files
            if re.fullmatch(rf"{name}\d+\.bin", file)
        ]
        links.append(f'<link rel="modulepreload" crossorigin href="{own[1]}">')
        return index.replace(own[0], "".join(links) + f'<script type="module">{start}</script>', 1)

    def _address(self, name: str) -> str:
        return f"{_FOLDER}/{self._version}/{name}"

    async def _answer(self, request: Request) -> Response:
        name = request.path_params["name"]
        body = self._files.get(name)
        if body is None or request.path_params["version"] != self._version:
            return Response(status_code=404)
        kind = "text/javascript" if name.endswith(".js") else "application/octet-stream"
        headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"}
        return Response(body, media_type=kind, headers=headers)


def _module(picture: FirstPicture) -> str:
    name = picture.page or "home"
    components = [
        {
            "html": component.html,
            "css": component.css,
            "data": {**component.data, **({"picture": f"{name}{i}.bin"} if component.picture else {})},
        }
        for i, component in enumerate(picture.components)
    ]
    first = {
        "title": picture.title,
        "lead": picture.lead,
        "lessons": _lessons(),
        "css": (_FILES / "first.css").read_text(encoding="utf-8"),
        "columns": picture.columns,
        "gap": picture.gap,
        "pictures": components,
        "colours": {theme: _colours(theme) for theme in ("light", "dark")},
    }
    return f"{picture.script}\nexport const first = {json.dumps(first, allow_nan=False)};\n"


def _lessons() -> list[tuple[str, list[tuple[str, str]]]]:
    """(section, [(title, name in the address)]) as in the sidebar."""
    return [
        (section, [(each.title, "" if each is HOME else Path(each.path).stem) for each in lessons])
        for section, lessons in groupby((HOME, *LESSONS), key=lambda each: each.section)
    ]


def _colours(theme: str) -> dict[str, str]:
    found = {name: st.get_option(f"theme.{theme}.{option}") for name, option in _COLOURS.items()}
    shown = {name: ",".join(v) if isinstance(v, list) else str(v) for name, v in found.items() if v}
    return {**shown, "--st-font": '"Source Sans", sans-serif'}
