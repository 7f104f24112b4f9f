"""First pictures: the files that draw them, and the page of Streamlit's that they stand in."""

import asyncio
import json
import re
from typing import Any

import pytest
from starlette.applications import Starlette

from pages.ui.adjoint import first_picture as adjoint
from pages.ui.cnf import first_picture as cnf
from pages.ui.first_picture import Component, FirstPicture, FirstPictures
from pages.ui.home import first_picture as home
from pages.ui.odenet import first_picture as odenet
from pages.ui.resnets import first_picture as resnets
from pages.ui.solvers import first_picture as solvers

INDEX = '<head><script type="module" crossorigin src="./static/js/index.abc.js"></script></head><body></body>'
PICTURE = FirstPicture(
    "odenet",
    "ODE-Net",
    "Why?",
    "export default function () {}",
    (Component("<div></div>", ".a { color: red; }", {"height": 5}, b"\x00\x01"),),
    live=True,
    needs=("live-assets/1/main.js",),
)


def get(app: Starlette, path: str) -> tuple[int, dict[bytes, bytes], bytes]:
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize("base", ["", "/lab"])
def test_what_the_page_names_is_served(base: str) -> None:
    pictures = FirstPictures([PICTURE], base)
    page = pictures.into("odenet", INDEX)
    found = re.findall(r'"\./(first-picture/[^"]+)"', page)
    assert {address.rpartition("/")[2] for address in found} == {"first.js", "odenet.js", "odenet0.bin"}
    app = Starlette(routes=pictures.routes())
    for address in found:
        status, headers, body = get(app, f"{base}/{address}")
        assert status == 200
        assert b"immutable" in headers[b"cache-control"]
        assert body == b"\x00\x01" or not address.endswith(".bin")
    old = found[0].replace("first-picture/", "first-picture/0")
    assert get(app, f"{base}/{old}")[0] == 404


def test_streamlits_script_is_started_by_ours_and_fetched_meanwhile() -> None:
    page = FirstPictures([PICTURE]).into("odenet", INDEX)
    assert '<script type="module" crossorigin src="./static/js/index.abc.js">' not in page
    assert 'src: "./static/js/index.abc.js"' in page
    assert '<link rel="modulepreload" crossorigin href="./static/js/index.abc.js">' in page
    assert '<link rel="modulepreload" href="./live-assets/1/main.js">' in page
    assert "{ live: true }" in page
    assert "$" not in page


@pytest.mark.parametrize(
    ("page", "index"), [("solvers", INDEX), ("odenet", "<head>another Streamlit</head>")]
)
def test_a_page_without_a_picture_is_streamlits_own(page: str, index: str) -> None:
    assert FirstPictures([PICTURE]).into(page, index) == index


def contents(picture: FirstPicture) -> dict[str, Any]:
    module = next(
        body
        for name, body in FirstPictures([picture])._files.items()
        if name.endswith(".js") and name != "first.js"
    )
    return json.loads(module.decode().rpartition("export const first = ")[2].rstrip().rstrip(";"))


@pytest.mark.parametrize("room", [home, resnets, solvers, adjoint, odenet, cnf])
def test_every_page_has_one_with_its_header_and_all_lessons(room: Any) -> None:
    picture = room.first_picture()
    assert picture is not None
    first = contents(picture)
    assert first["title"]
    assert first["lead"]
    names = [name for _, links in first["lessons"] for _, name in links]
    assert names[:4] == ["", "resnets", "solvers", "adjoint"]
    for theme in ("light", "dark"):
        assert first["colours"][theme]["--st-background-color"].startswith("#")
    assert len(first["pictures"]) == (2 if room is resnets else 1)
