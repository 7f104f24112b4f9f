"""Streamlit's own scripts and styles, compressed: Streamlit itself sends them as they are, 10 MB on a first visit.

It does so because it would compress them anew for everybody. Here each is compressed once and kept.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import mimetypes
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import file_util

_FOLDER = "static"  # below Streamlit's folder, and in the address
_KINDS = (".js", ".css")  # fonts and pictures are compressed already
_FOR_EVER = "public, max-age=31536000, immutable"  # as Streamlit: each name has the digest of its content


class Zipped:
    """ASGI middleware: what Streamlit serves below /static/, to browsers that take gzip.

    Args:
        app: what answers everything else.
        base: the path below which the app is served.
        folder: where Streamlit has its files.
    """

    def __init__(self, app: ASGIApp, base: str = "", folder: Path | None = None) -> None:
        folder = Path(file_util.get_static_dir()) if folder is None else folder
        self._app = app
        self._files = {
            f"{base}/{path.relative_to(folder).as_posix()}": path
            for path in (folder / _FOLDER).rglob("*")
            if path.suffix in _KINDS
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        path = self._files.get(scope["path"]) if asked else None
        headers = Headers(scope=scope)
        if path is None or "gzip" not in headers.get("accept-encoding", "") or "range" in headers:
            await self._app(scope, receive, send)
            return
        body = await asyncio.to_thread(zipped, path)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        told = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "Cache-Control": _FOR_EVER}
        told["X-Content-Type-Options"] = "nosniff"
        await Response(body, media_type=kind, headers=told)(scope, receive, send)


@functools.lru_cache(maxsize=256)
def zipped(path: Path) -> bytes:
    """A file that does not change, compressed."""
    return gzip.compress(path.read_bytes(), 6)
