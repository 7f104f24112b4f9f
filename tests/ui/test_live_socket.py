"""The WebSocket endpoint, spoken to as a server would, without a network."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, cast

import pytest
from starlette.websockets import WebSocket

from node_core.training.jobs import Executor
from node_core.training.live import Chunk, LiveRuns, advance_chunk
from pages.ui.live_socket import asset_version, live_asset, live_endpoint
from tests.ui.live_demo import TASK, DemoConfig

ORIGIN = "http://lab:8501"


class AtOnce:
    """Runs a chunk when it is submitted, and no more than `limit` of them."""

    packages = ("tests",)

    def __init__(self, limit: int = 20) -> None:
        self.left = limit

    def submit(self, task: str, *args: Any, background: bool, time_limit: float | None) -> Future[Chunk]:
        future: Future[Chunk] = Future()
        self.left -= 1
        if self.left >= 0:
            name, config, state, _ = args
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

    def leave(self) -> None:
        self.say.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def hear(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.heard.get(), 10)

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
        assert json.loads((await page.hear())["text"]) == {"status": "paused", "error": ""}
        assert (await page.hear())["bytes"] == runs.look(token).snapshot
        page.text({"command": "step"})
        page.text({"command": "step"})
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
        assert json.loads((await page.hear())["text"])["status"] == "running"
        page.text({"command": "toggle"})
        assert json.loads((await page.hear())["text"])["status"] == "paused"
        page.text({"command": "pause"})  # it stands already: nothing to be told
        page.text({"command": "play"})
        assert json.loads((await page.hear())["text"])["status"] == "running"
        page.text({"command": "pause"})
        assert json.loads((await page.hear())["text"])["status"] == "paused"
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


def test_a_page_that_leaves_stops_listening(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())

    async def talk(page: Page) -> None:
        await page.hear()
        page.leave()

    converse(runs, token, ORIGIN, talk)
    runs.step(token)  # would call into a closed loop


@pytest.mark.parametrize(
    ("name", "status"), [("main.js", 200), ("mlp.js", 200), ("../loader.js", 404), ("none.js", 404)]
)
def test_only_the_canvas_scripts_are_served(name: str, status: int) -> None:
    from starlette.requests import Request

    scope = {"type": "http", "path_params": {"version": asset_version(), "name": name}, "headers": []}
    response = asyncio.run(live_asset(Request(scope)))
    assert response.status_code == status
