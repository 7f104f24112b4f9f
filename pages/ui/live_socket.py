"""The server's side of the live view: the WebSocket `/live/{token}` and the scripts at `/live-assets/`."""

from __future__ import annotations

import asyncio
import functools
import gzip
import importlib.metadata
import importlib.util
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from node_core.training.live import LiveRuns

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "live"
NO_SUCH_RUN = 4404  # the WebSocket's close code: the page asks for a new run
_LONGEST_MESSAGE = 256
_FOR_EVER = "public, max-age=31536000, immutable"


def live_routes(runs: Callable[[], LiveRuns]) -> list[BaseRoute]:
    """The routes that app.py adds to Streamlit's own.

    Args:
        runs: gives the server's live runs when a page first connects.
    """

    async def endpoint(websocket: WebSocket) -> None:
        await live_endpoint(websocket, runs())

    return [
        WebSocketRoute("/live/{token}", endpoint),
        Route("/live-assets/{version}/plotly.js", plotly_script, methods=["GET"]),
        Route("/live-assets/{version}/{name}", live_asset, methods=["GET"]),
    ]


def asset_version() -> str:
    """Changes with the scripts, so that browsers may keep them for ever."""
    return f"{max(path.stat().st_mtime_ns for path in ASSETS.glob('*.js')):x}"


async def live_asset(request: Request) -> Response:
    """One of the canvas's scripts."""
    allowed = {path.name: path for path in ASSETS.glob("*.js")}
    path = allowed.get(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    fresh = request.path_params["version"] == asset_version()
    cache = _FOR_EVER if fresh else "no-cache"
    return FileResponse(
        path,
        media_type="text/javascript",
        headers={"Cache-Control": cache, "X-Content-Type-Options": "nosniff"},
    )


def plotly_address() -> str:
    """Where the installed plotly's script is served, for charts that are updated in place."""
    return f"live-assets/plotly-{importlib.metadata.version('plotly')}/plotly.js"


async def plotly_script(request: Request) -> Response:
    """The script of the installed plotly package; nothing is fetched from elsewhere."""
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    body = await asyncio.to_thread(_plotly, zipped)
    headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    return Response(
        body,
        media_type="text/javascript",
        headers=headers | ({"Content-Encoding": "gzip"} if zipped else {}),
    )


@functools.lru_cache(maxsize=2)
def _plotly(zipped: bool) -> bytes:
    spec = importlib.util.find_spec("plotly")  # finds the folder without importing the package
    assert spec is not None
    assert spec.origin is not None
    script = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return gzip.compress(script, 6) if zipped else script


async def live_endpoint(websocket: WebSocket, runs: LiveRuns) -> None:
    """Send a run's newest snapshot whenever the page has painted the one before; obey its commands.

    From the page: {"ack": true} after painting, {"command": "play" | "pause" | "toggle" | "step" | "reset"}, {} as
    a heartbeat.
    To the page: a binary snapshot, or {"status", "error"} as text. A foreign page (Origin) is refused before
    the connection opens; an unknown token closes it with 4404.
    """
    if not _same_origin(websocket):
        await websocket.close(1008)
        return
    await websocket.accept()
    token = websocket.path_params["token"]
    try:
        connection = _Connection(websocket, runs, token)
    except KeyError:
        await websocket.close(NO_SUCH_RUN)
        return
    await connection.serve()


def _same_origin(websocket: WebSocket) -> bool:
    origin = urlsplit(websocket.headers.get("origin", "")).netloc.lower()
    return bool(origin) and origin == websocket.headers.get("host", "").lower()


class _Connection:
    def __init__(self, websocket: WebSocket, runs: LiveRuns, token: str) -> None:
        self._websocket = websocket
        self._runs = runs
        self._token = token
        self._painted = True
        self._changed = asyncio.Event()
        self._changed.set()
        self._loop = asyncio.get_running_loop()
        self._unsubscribe = runs.subscribe(token, self._wake)

    def _wake(self) -> None:
        """From a worker's callback, in any thread."""
        with suppress(RuntimeError):  # the loop closed meanwhile
            self._loop.call_soon_threadsafe(self._changed.set)

    async def serve(self) -> None:
        """Until the page leaves, the run ends or the server stops."""
        # Side by side: a sender that waits for a snapshot would not see the page leave.
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._send())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._unsubscribe()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if any(isinstance(result, KeyError) for result in results):
            with suppress(RuntimeError):
                await self._websocket.close(NO_SUCH_RUN)
            return
        for result in results:
            if isinstance(result, Exception) and not isinstance(
                result, WebSocketDisconnect | RuntimeError | OSError
            ):
                raise result

    async def _read(self) -> None:
        while True:
            text = await self._websocket.receive_text()
            if len(text) > _LONGEST_MESSAGE:
                await self._websocket.close(1009)
                return
            self._obey(text)

    def _obey(self, text: str) -> None:
        self._runs.poll(self._token)
        try:
            message = json.loads(text)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if message.get("ack"):
            self._painted = True
            self._changed.set()
        match message.get("command"):
            case "play":
                self._runs.play(self._token)
            case "pause":
                self._runs.pause(self._token)
            case "toggle":
                self._runs.toggle(self._token)
            case "step":
                self._runs.step(self._token)
            case "reset":
                self._runs.reset(self._token)

    async def _send(self) -> None:
        sent, told = 0, None
        while True:
            await self._changed.wait()
            self._changed.clear()
            view = self._runs.look(self._token)
            if (view.status, view.error) != told:
                told = (view.status, view.error)
                await self._websocket.send_text(json.dumps({"status": view.status, "error": view.error}))
            if self._painted and view.snapshot is not None and view.sequence != sent:
                self._painted, sent = False, view.sequence
                await self._websocket.send_bytes(view.snapshot)
