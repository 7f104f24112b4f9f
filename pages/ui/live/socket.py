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

import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from node_core.assets import ASSETS
from node_core.runs.record import View
from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import Snapshot, pack
from node_core.runs.worker import TaskError
from node_core.training.checkpoint import MAX_BYTES
from pages.ui.hosts import origin_allowed
from pages.ui.study import sentence

SCRIPTS = ASSETS / "live"
# Lessons with canvases of their own: served one floor below, as assets/NAME/*.js
ROOMS = ("control", "series")
NO_SUCH_RUN = 4404  # the WebSocket's close code: the page asks for a new run
_TOO_LONG = 1009
_LONGEST_MESSAGE = 256
_KEEP_EVERY = 5.0  # s between two files for a page to keep, while its run plays
_KEEP_RATE = 20_000  # bytes a second that they may take: a large net is kept more seldom
_KEEP_AGAIN = 60.0  # s until it is tried again to write one that could not be written
_WORD = ("status", "error", "begun", "played", "resuming", "resumed", "refusal")  # of a view, for the page
_FOR_EVER = "public, max-age=31536000, immutable"


def live_routes(runs: Callable[[], LiveRuns], base: str = "") -> list[BaseRoute]:
    """The routes that app.py adds to Streamlit's own.

    Args:
        runs: gives the server's live runs when a page first connects.
        base: the path below which the app is served.
    """

    async def endpoint(websocket: WebSocket) -> None:
        await live_endpoint(websocket, runs())

    return [
        WebSocketRoute(f"{base}/live/{{token}}", endpoint),
        Route(f"{base}/live-assets/{{version}}/plotly.js", plotly_script, methods=["GET"]),
        Route(f"{base}/live-assets/{{version}}/{{name}}", live_asset, methods=["GET"]),
        Route(f"{base}/live-assets/{{version}}/{{room}}/{{name}}", live_asset, methods=["GET"]),
    ]


def asset_address(name: str) -> str:
    """Where one of the canvas's scripts, "main.js" or "control/stage.js", is served, relative to the app's address."""
    return f"live-assets/{asset_version()}/{name}"


def asset_version() -> str:
    """Changes with the scripts, so that browsers may keep them for ever."""
    folders = (SCRIPTS, *(ASSETS / room for room in ROOMS))
    return f"{max(path.stat().st_mtime_ns for folder in folders for path in folder.glob('*.js')):x}"


async def live_asset(request: Request) -> Response:
    """One of the canvas's scripts."""
    room = request.path_params.get("room")
    folder = SCRIPTS if room is None else ASSETS / room if room in ROOMS else None
    allowed = {} if folder is None else {path.name: path for path in folder.glob("*.js")}
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


@functools.lru_cache(maxsize=1)
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
    a heartbeat; as bytes, what it kept of a run that the server has lost, after {"shown": the iteration that it had
    come to}.
    To the page: a binary snapshot; as text, how the run stands, which tells of a new beginning before its first picture
    comes; now and then, and when it stands still, a snapshot that has only `kept`, the file with which the page can
    bring the run back. A foreign page (Origin) is refused before the connection opens; an unknown token closes it with
    4404.
    """
    if not origin_allowed(websocket.headers, websocket.scope.get("scheme", "ws")):
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


class _Connection:
    def __init__(self, websocket: WebSocket, runs: LiveRuns, token: str) -> None:
        self._websocket = websocket
        self._runs = runs
        self._token = token
        self._painted = True
        self._changed = asyncio.Event()
        self._changed.set()
        self._loop = asyncio.get_running_loop()
        self._keeping: asyncio.Task[None] | None = None
        self._kept: bytes | None = None  # to be sent
        self._unkept = ""  # why there is none
        self._shown = 0  # the iteration to which the page says that a lost run had come
        self._kept_sequence, self._keep_at = 0, 0.0
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
            for task in (*tasks, *filter(None, [self._keeping])):
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
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            text, raw = message.get("text"), message.get("bytes")
            if len(text or "") > _LONGEST_MESSAGE or len(raw or b"") > MAX_BYTES:
                await self._websocket.close(_TOO_LONG)
                return
            if text is not None:
                self._obey(text)
            elif raw is not None:
                self._runs.kept.resume(self._token, raw, self._shown)

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
        if type(shown := message.get("shown")) is int:
            self._shown = shown
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
            word = {name: getattr(view, name) for name in _WORD} | {"unkept": self._unkept}
            if word != told:
                # At a new beginning the page throws away what it has not painted yet.
                self._painted = self._painted or told is None or view.begun != told["begun"]
                told = word
                await self._websocket.send_text(json.dumps(word))
            self._keep(view)
            if self._kept is not None:
                kept, self._kept = np.frombuffer(self._kept, np.uint8), None
                if view.played:  # not reset meanwhile
                    await self._websocket.send_bytes(pack(Snapshot({"kept": kept})))
            if self._painted and view.snapshot is not None and view.sequence != sent:
                self._painted, sent = False, view.sequence
                await self._websocket.send_bytes(view.snapshot)

    def _keep(self, view: View) -> None:
        """Have what the page should keep written, if that is due."""
        if (
            not view.played
            or view.resuming
            or self._keeping is not None
            or view.sequence == self._kept_sequence
        ):
            return
        if view.status == "running" and self._loop.time() < self._keep_at:
            return
        future = self._runs.kept.file(self._token)
        if future is not None:
            self._kept_sequence = view.sequence
            self._keeping = asyncio.create_task(self._write(asyncio.wrap_future(future)))

    async def _write(self, future: asyncio.Future[bytes]) -> None:
        try:
            self._kept, self._unkept = await future, ""
            pause = max(_KEEP_EVERY, len(self._kept) / _KEEP_RATE)
        except TaskError as error:
            pause, self._unkept = _KEEP_AGAIN, sentence(error)
        self._keep_at = self._loop.time() + pause
        self._keeping = None
        self._changed.set()
