"""Charts that browsers ask for: made anew only when a run has moved, found only by those who were told."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import plotly.graph_objects as go
import pytest
from starlette.requests import Request
from starlette.responses import Response

from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns
from pages.ui.live.feed import Feeds
from tests.ui.live.demo import TASK, DemoConfig
from tests.ui.live.test_socket import AtOnce


class Drawing:
    """Draws how many snapshots there were, and counts how often it was asked to."""

    def __init__(self, runs: LiveRuns, token: str) -> None:
        self.runs, self.token, self.count = runs, token, 0

    def __call__(self) -> go.Figure:
        self.count += 1
        return go.Figure(layout={"title": {"text": str(self.runs.look(self.token).sequence)}, "height": 200})


@pytest.fixture
def runs() -> LiveRuns:
    return LiveRuns(cast("Executor", AtOnce(limit=50)))


@pytest.fixture
def feeds(runs: LiveRuns) -> Feeds:
    return Feeds(lambda: runs, most=3)


def ask(feeds: Feeds, address: str, stamp: str = "") -> Response:
    name = address.removeprefix("live-curves/")
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    scope |= {"path_params": {"name": name}, "query_string": f"stamp={stamp}".replace(" ", "+").encode()}
    return asyncio.run(feeds.answer(Request(scope)))


def body(response: Response) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(bytes(response.body)))


def test_a_chart_is_sent_once_and_again_when_its_run_has_moved(feeds: Feeds, runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())
    make = Drawing(runs, token)
    feed = feeds.offer("loss", [token], make)
    first = body(ask(feeds, feed.address))
    assert first["figure"]["layout"]["title"]["text"] == "1"
    assert ask(feeds, feed.address, first["stamp"]).status_code == 204
    assert make.count == 1
    runs.step(token)
    second = ask(feeds, feed.address, first["stamp"])
    assert second.status_code == 200
    assert body(second)["figure"]["layout"]["title"]["text"] == "2"
    assert body(second)["stamp"] != first["stamp"]


def test_a_page_drawn_while_its_run_plays_gets_the_chart_as_it_was(feeds: Feeds, runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())
    make = Drawing(runs, token)
    stamp, figure = feeds.look(feeds.offer("loss", [token], make))
    runs.play(token)
    assert runs.look(token).sequence > 1
    assert feeds.look(feeds.offer("loss", [token], make)) == (stamp, figure)
    assert make.count == 1
    runs.pause(token)
    assert feeds.look(feeds.offer("loss", [token], make))[0] != stamp, (
        "a run that stands is shown as it stands"
    )


def test_the_same_chart_keeps_its_address_and_others_cannot_be_guessed(feeds: Feeds, runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())
    make = Drawing(runs, token)
    address = feeds.offer(("loss", token), [token], make).address
    assert feeds.offer(("loss", token), [token], make).address == address
    assert feeds.offer(("nfe", token), [token], make).address != address
    assert token not in address
    assert ask(feeds, "live-curves/loss").status_code == 404


def test_a_run_that_began_again_has_another_chart_at_once_though_it_plays(
    feeds: Feeds, runs: LiveRuns
) -> None:
    token = runs.start(TASK, DemoConfig())
    make = Drawing(runs, token)
    before = feeds.offer("loss", [token], make)
    shown = feeds.look(before)
    runs.reset(token, DemoConfig(jumps=True), fresh=True)
    runs.play(token)
    after = feeds.offer("loss", [token], make)
    assert after.address != before.address
    assert feeds.look(after) != shown
    assert (
        ask(feeds, before.address, shown[0]).status_code == 200
    )  # a page that was not drawn again hears of it too


@pytest.mark.parametrize("name", ["\u20ac", "\ufffd", "\0", "../", "a" * 5000])
def test_an_address_that_no_chart_has_is_not_found(feeds: Feeds, runs: LiveRuns, name: str) -> None:
    feeds.offer("loss", [runs.start(TASK, DemoConfig())], go.Figure)
    assert ask(feeds, f"live-curves/{name}").status_code == 404


@pytest.mark.parametrize(
    "lose", [lambda feeds, runs, token: runs.stop(token), lambda feeds, runs, token: crowd(feeds, token)]
)
def test_what_is_gone_is_not_found(
    feeds: Feeds, runs: LiveRuns, lose: Callable[[Feeds, LiveRuns, str], None]
) -> None:
    token = runs.start(TASK, DemoConfig())
    feed = feeds.offer("loss", [token], Drawing(runs, token))
    assert ask(feeds, feed.address).status_code == 200
    lose(feeds, runs, token)
    assert ask(feeds, feed.address).status_code == 404


def crowd(feeds: Feeds, token: str) -> None:
    for number in range(3):
        feeds.offer(number, [token], go.Figure)


def test_many_playing_runs_make_every_chart_slower_and_those_that_stand_do_not(
    feeds: Feeds, runs: LiveRuns
) -> None:
    alone = feeds.every()
    for _ in range(100):
        runs.start(TASK, DemoConfig())
    assert feeds.every() == alone
    for _ in range(30):
        runs.play(runs.start(TASK, DemoConfig()))
    assert feeds.every() > 2 * alone
