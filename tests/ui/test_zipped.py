"""Streamlit's scripts come compressed, whole, and only to who can read them."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from pages.ui.zipped import Zipped, zipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "index.abc.js").write_text("let a = 1;\n" * 500)
    (tmp_path / "static" / "font.woff2").write_bytes(b"compressed already")
    (tmp_path / "index.html").write_text("not below static/")
    return tmp_path


def ask(app: Zipped, path: str, **headers: str) -> tuple[dict[str, str], bytes]:
    """Headers and body; ({}, b"inner") where Streamlit would answer."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": raw, "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    if sent[0]["type"] == "inner":
        return {}, b"inner"
    return {k.decode(): v.decode() for k, v in sent[0]["headers"]}, sent[1]["body"]


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "inner"})


@pytest.mark.parametrize("base", ["", "/lab"])
def test_a_script_is_compressed_kept_and_told_to_be_kept(folder: Path, base: str) -> None:
    app = Zipped(inner, base, folder)
    headers, body = ask(app, f"{base}/static/js/index.abc.js", accept_encoding="gzip, br")
    assert gzip.decompress(body) == (folder / "static/js/index.abc.js").read_bytes()
    assert len(body) < 200
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(body))
    assert "javascript" in headers["content-type"]
    assert "immutable" in headers["cache-control"]
    assert headers["vary"] == "Accept-Encoding"
    assert zipped(folder / "static/js/index.abc.js") is zipped(folder / "static/js/index.abc.js")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/static/js/index.abc.js", {}),
        ("/static/js/index.abc.js", {"accept_encoding": "br"}),
        ("/static/js/index.abc.js", {"accept_encoding": "gzip", "range": "bytes=0-9"}),
        ("/static/font.woff2", {"accept_encoding": "gzip"}),
        ("/static/js/none.js", {"accept_encoding": "gzip"}),
        ("/static/../index.html", {"accept_encoding": "gzip"}),
        ("/", {"accept_encoding": "gzip"}),
    ],
)
def test_everything_else_is_left_to_streamlit(folder: Path, path: str, headers: dict[str, str]) -> None:
    assert ask(Zipped(inner, "", folder), path, **headers) == ({}, b"inner")
