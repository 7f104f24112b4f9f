"""The WebSocket endpoint, spoken to as a server would, without a network."""

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, cast

import numpy as np
import pytest
from starlette.websockets import WebSocket

from node_core.runs.chunk import advance_chunk
from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import unpack
from node_core.runs.worker import TaskError
from node_core.training.checkpoint import MAX_BYTES, read, write
from pages.ui.live.socket import asset_version, live_asset, live_endpoint
from tests.ui.live.demo import TASK, DemoConfig

ORIGIN = "http://lab:8501"


class AtOnce:
    """Runs a chunk when it is submitted, and no more than `limit` of them; and what pages keep."""

    packages = ("tests",)

    def __init__(self, limit: int = 20) -> None:
        self.left = limit

    def submit(self, task: str, *args: Any, background: bool, time_limit: float | None) -> Future[Any]:
        future: Future[Any] = Future()
        module, _, function = task.partition(":")
        if function != "advance_chunk":
            try:
                future.set_result(getattr(importlib.import_module(module), function)(*args))
            except ValueError as error:
                future.set_exception(TaskError("input", str(error)))
            return future
        self.left -= 1
        if self.left >= 0:
            name, config, state, *_ = args
            future.set_result(advance_chunk(name, config, state, 1e-9))
        return future


class Page:
    """The browser's end: what is put into `say` is received by the server; what it sends is in `heard`."""

    def __init__(self, token: str, origin: str | None) -> None:
        headers = [(b"host", b"lab:8501")] + ([(b"origin", origin.encode())] if origin else [])
        self.say: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"type": "websocket", "path_params": {"token": token}, "headers": headers, "path": "/live/x"}
        self.websocket = WebSocket(scope, self.say.get, cast("Any", self.heard.put))
        self.say.put_nowait({"type": "websocket.connect"})

    def text(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.say.put_nowait({"type": "websocket.receive", "text": text})

    def file(self, content: bytes) -> None:
        self.say.put_nowait({"type": "websocket.receive", "bytes": content})

    def leave(self) -> None:
        self.say.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def hear(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.heard.get(), 10)

    async def word(self) -> dict[str, Any]:
        """What is said next about the run; pictures and files are passed over."""
        while "text" not in (heard := await self.hear()):
            assert heard["type"] != "websocket.close", heard
        return dict(json.loads(heard["text"]))

    async def quiet(self) -> bool:
        for _ in range(20):
            await asyncio.sleep(0)
        return self.heard.empty()


@pytest.fixture
def runs() -> LiveRuns:
    return LiveRuns(cast("Executor", AtOnce()))


def converse(runs: LiveRuns, token: str, origin: str | None, talk: Callable[[Page], Awaitable[None]]) -> None:
    async def both() -> None:
        page = Page(token, origin)
        server = asyncio.create_task(live_endpoint(page.websocket, runs))
        await talk(page)
        await asyncio.wait_for(server, 10)

    asyncio.run(both())


@pytest.mark.parametrize("origin", [None, "http://evil:8501", "http://lab:9999", "null"])
def test_a_foreign_page_is_refused_before_the_connection_opens(runs: LiveRuns, origin: str | None) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        assert (await page.hear())["type"] == "websocket.close"

    converse(runs, token, origin, talk)


def test_an_unknown_token_is_told_so(runs: LiveRuns) -> None:
    async def talk(page: Page) -> None:
        assert (await page.hear())["type"] == "websocket.accept"
        assert (await page.hear())["code"] == 4404

    converse(runs, "guessed", ORIGIN, talk)


def test_the_next_snapshot_comes_only_after_the_last_was_painted(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        await page.hear()  # accept
        word = await page.word()
        assert (word["status"], word["error"], word["played"]) == ("paused", "", False)
        assert (await page.hear())["bytes"] == runs.look(token).snapshot
        page.text({"command": "step"})
        page.text({"command": "step"})
        assert (await page.word())["played"]
        assert kept((await page.hear())["bytes"])[1] > 0
        assert await page.quiet(), "a snapshot was sent before the one before was painted"
        newest = runs.look(token).snapshot
        page.text({"ack": True})
        assert (await page.hear())["bytes"] == newest
        page.leave()

    converse(runs, token, ORIGIN, talk)


def test_commands_reach_the_run_and_nonsense_does_not_end_the_connection(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        for nonsense in ("no json", "[1]", '"text"', {"command": "format"}, {"command": ["step"]}):
            page.text(nonsense)
        page.text({"command": "toggle"})
        assert (await page.word())["status"] == "running"
        page.text({"command": "toggle"})
        assert (await page.word())["status"] == "paused"
        page.text({"command": "pause"})  # it stands already: nothing to be told
        page.text({"command": "play"})
        assert (await page.word())["status"] == "running"
        page.text({"command": "pause"})
        assert (await page.word())["status"] == "paused"
        page.leave()

    converse(runs, token, ORIGIN, talk)


def test_a_new_beginning_is_told_before_its_first_snapshot_which_waits_for_no_painting(
    runs: LiveRuns,
) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        runs.reset(token, DemoConfig(jumps=True), fresh=True)
        word = await page.word()
        assert (word["status"], word["error"], word["begun"]) == ("paused", "", 1)
        assert (await page.hear())["bytes"] == runs.look(token).snapshot
        page.leave()

    converse(runs, token, ORIGIN, talk)


def test_a_run_that_ends_closes_the_connection_with_its_own_code(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        runs.stop(token)
        assert (await page.hear())["code"] == 4404

    converse(runs, token, ORIGIN, talk)


def test_a_long_message_closes_the_connection(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        page.text("x" * 300)
        assert (await page.hear())["code"] == 1009

    converse(runs, token, ORIGIN, talk)


def kept(message: bytes) -> list[float]:
    """What a page should keep: the demo's dim, iteration and angle."""
    file = unpack(message).arrays["kept"].tobytes()
    return [float(number) for number in read(file, "demo")[1]["numbers"]]


def test_a_page_gets_what_brings_its_run_back_to_a_server_that_has_lost_it(runs: LiveRuns) -> None:
    lost, files = runs.start(TASK, DemoConfig()), []

    async def play(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        page.text({"command": "step"})
        await page.hear()  # the status
        files.append((await page.hear())["bytes"])
        page.leave()

    converse(runs, lost, ORIGIN, play)
    assert kept(files[0]) == [2, 2, 0.02]
    fresh = LiveRuns(cast("Executor", AtOnce()))
    token = fresh.start(TASK, DemoConfig())

    async def offer(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        page.text({"shown": 7})
        page.file(unpack(files[0]).arrays["kept"].tobytes())
        word = await page.word()
        assert (word["status"], word["resumed"], word["refusal"], word["played"]) == ("paused", 2, "", True)
        page.text({"ack": True})
        page.leave()

    converse(fresh, token, ORIGIN, offer)
    view = fresh.look(token)
    assert view.snapshot is not None
    assert unpack(view.snapshot).scalars["iteration"] == 2
    assert view.missing == 5
    fresh.reset(token)
    assert not fresh.look(token).played


OTHER = write({"format": "demo", "config": "{}", "iteration": "5"}, {"numbers": np.array([3.0, 5.0, 0.1])})


@pytest.mark.parametrize("file", [b"", b"\x00\xff", OTHER, OTHER[:-1], b"9" * 5000])
def test_what_does_not_bring_the_run_back_leaves_it_new_and_is_told(runs: LiveRuns, file: bytes) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        page.file(file)
        word = await page.word()
        assert word["refusal"]
        assert (word["resumed"], word["played"], word["resuming"]) == (None, False, False)
        page.leave()

    converse(runs, token, ORIGIN, talk)


def test_too_large_a_file_closes_the_connection(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        for _ in range(3):
            await page.hear()
        page.file(bytes(MAX_BYTES + 1))
        assert (await page.hear())["code"] == 1009

    converse(runs, token, ORIGIN, talk)


def test_a_page_that_leaves_stops_listening(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        await page.hear()
        page.leave()

    converse(runs, token, ORIGIN, talk)
    runs.step(token)  # would call into a closed loop


@pytest.mark.parametrize(
    ("room", "name", "status"),
    [
        (None, "main.js", 200),
        (None, "mlp.js", 200),
        (None, "../loader.js", 404),
        (None, "none.js", 404),
        ("control", "stage.js", 200),
        ("series", "view.js", 200),
        ("control", "main.js", 404),
        ("adjoint", "player.js", 404),
        ("..", "tab.js", 404),
    ],
)
def test_only_the_canvas_scripts_are_served(room: str | None, name: str, status: int) -> None:
    from starlette.requests import Request

    place = {"version": asset_version(), "name": name} | ({} if room is None else {"room": room})
    scope = {"type": "http", "path_params": place, "headers": []}
    response = asyncio.run(live_asset(Request(scope)))
    assert response.status_code == status
