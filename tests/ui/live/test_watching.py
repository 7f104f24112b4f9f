"""Others watch a run and can't touch it: the registry, and the socket of those who watch."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns
from pages.ui.live.feed import Feeds
from pages.ui.live.socket import live_endpoint
from pages.ui.live.watching import LEFT, STOPPED, Canvas, Stage, Watching, checked_camera
from tests.ui.live.demo import TASK, DemoConfig
from tests.ui.live.test_feed import ask, body
from tests.ui.live.test_socket import ORIGIN, AtOnce, Page

LOOK = {"view": "space", "yaw": 0.5, "pitch": 0.25, "layers": "points paths", "sweeping": False, "phase": 0.5}
SEEN = LOOK | {"layers": ["points", "paths"]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runs() -> LiveRuns:
    return LiveRuns(cast("Executor", AtOnce()))


def shown(watching: Watching, *tokens: str) -> tuple[str, list[str]]:
    """The key of a tab that shows runs, and what watchers call them."""
    key = watching.open(lambda: True)
    watching.show(key, Stage("odenet", "ODE-Net", {}, tuple(Canvas(None, token, {}) for token in tokens)))
    found = watching.find(key)
    assert found is not None
    return key, [f"{key}.{found.place_of(token)}" for token in tokens]


def watch(
    runs: LiveRuns, watching: Watching, names: list[str], talk: Callable[[list[Page]], Awaitable[None]]
) -> None:
    async def all_of_them() -> None:
        pages = [Page(name, ORIGIN) for name in names]
        servers = [asyncio.create_task(live_endpoint(page.websocket, runs, watching)) for page in pages]
        for page in pages:
            assert (await page.hear())["type"] == "websocket.accept"
        await talk(pages)
        await asyncio.wait_for(asyncio.gather(*servers), 10)

    asyncio.run(all_of_them())


SAID = [
    *({"command": word} for word in ("play", "pause", "toggle", "step", "reset")),
    {"ack": True, "command": "play"},
    {"shown": 3},
    {"camera": LOOK},
    [],
    "no JSON",
    b"a file",
]


@pytest.mark.parametrize("said", SAID, ids=str)
def test_who_watches_is_refused_everything_but_to_look(runs: LiveRuns, said: Any) -> None:
    token, watching = runs.start(TASK, DemoConfig()), Watching()
    before = runs.look(token)
    _, names = shown(watching, token)

    async def talk(pages: list[Page]) -> None:
        (page,) = pages
        assert (await page.word())["status"] == "paused"
        page.text({})
        page.text({"ack": True})
        if isinstance(said, bytes):
            page.file(said)
        else:
            page.text(said)
        while "code" not in (heard := await page.hear()):
            pass
        assert heard["code"] == 4403

    watch(runs, watching, names, talk)
    after = runs.look(token)
    assert (after.status, after.sequence, after.begun, after.played) == ("paused", before.sequence, 0, False)
    assert watching.resolve(names[0])[0].cameras == {}


def test_watchers_see_the_owners_pictures_and_camera_and_are_sent_no_file(runs: LiveRuns) -> None:
    token, watching = runs.start(TASK, DemoConfig()), Watching()
    _, names = shown(watching, token)

    async def talk(pages: list[Page]) -> None:
        owner, *watchers = pages
        for page in watchers:
            word = await page.word()
            assert (word["camera"], word["changes"]) == ({}, 1)
        owner.text({"camera": LOOK})
        for page in watchers:
            assert (await page.word())["camera"] == SEEN
        owner.text({"command": "step"})
        newest = runs.look(token).sequence + 1
        for page in watchers:
            page.text({"ack": True})
            heard: dict[str, Any] = {}
            while "bytes" not in heard or runs.look(token).sequence < newest:
                heard = await page.hear()
            assert heard["bytes"] is runs.look(token).snapshot, "one encoding for all of them"
            assert await page.quiet(), "no file to keep"
        for page in pages:
            page.leave()

    watch(runs, watching, [token, names[0], names[0]], talk)


@pytest.mark.parametrize("what", ["stopped", "elsewhere"])
def test_it_ends_for_watchers_when_the_owner_stops_or_shows_another_run(runs: LiveRuns, what: str) -> None:
    token, other, watching = runs.start(TASK, DemoConfig()), runs.start(TASK, DemoConfig()), Watching()
    key, names = shown(watching, token)

    async def talk(pages: list[Page]) -> None:
        assert (await pages[0].word())["status"] == "paused"
        if what == "stopped":
            watching.close(key)
        else:
            watching.show(key, Stage("cnf", "CNF", {}, (Canvas(None, other, {}),)))
        while "code" not in (heard := await pages[0].hear()):
            pass
        assert heard["code"] == 4404

    watch(runs, watching, names, talk)
    assert token in runs, "the run itself goes on"
    assert watching.ended(key) == (STOPPED if what == "stopped" else "")


@pytest.mark.parametrize("name", ["x.y", ".", "2" * 14 + ".", "2" * 14 + ".0", "../x.y"])
def test_a_name_that_leads_nowhere_is_told_so(runs: LiveRuns, name: str) -> None:
    async def talk(pages: list[Page]) -> None:
        assert (await pages[0].hear())["code"] == 4404

    watch(runs, Watching(), [name], talk)


def test_no_name_of_a_watcher_is_the_key_to_a_run(runs: LiveRuns) -> None:
    token, watching = runs.start(TASK, DemoConfig()), Watching()
    key, (name,) = shown(watching, token)
    place = name.removeprefix(f"{key}.")
    assert token not in name and not token.startswith(place)
    for guess in (key, place, name.replace(".", "")):
        assert guess not in runs


def test_too_many_are_refused_and_who_leaves_makes_room() -> None:
    watching = Watching(most=1, sockets=2)
    key, (name,) = shown(watching, "a")
    with pytest.raises(ValueError, match="the most it allows"):
        watching.open(lambda: True)
    tab, _, place = watching.resolve(name)
    leave = watching.join(tab, place, lambda: None)
    watching.join(tab, place, lambda: None)
    assert watching.watchers(key) == 2
    with pytest.raises(KeyError):
        watching.join(tab, place, lambda: None)
    leave()
    watching.join(tab, place, lambda: None)


def test_a_tab_whose_owner_has_gone_is_shown_no_more_after_a_while() -> None:
    clock, there = Clock(), [True]
    watching = Watching(clock=clock)
    key = watching.open(lambda: there[0])
    clock.now = 1000.0
    assert watching.find(key) is not None
    there[0] = False
    clock.now += 80.0  # a reload, a network that breaks
    assert watching.find(key) is not None
    there[0] = True
    assert watching.find(key) is not None
    there[0] = False
    clock.now += 100.0
    assert watching.find(key) is None
    assert watching.ended(key) == LEFT


@pytest.mark.parametrize(
    "camera",
    [
        None,
        [],
        "space",
        {},
        {"view": "http://evil"},
        {"yaw": "1"},
        {"yaw": float("nan")},
        {"pitch": True},
        {"x": 1},
    ],
    ids=str,
)
def test_what_is_no_camera_is_passed_on_to_nobody(camera: Any) -> None:
    assert checked_camera(camera) == {}


def test_a_camera_is_passed_on_as_far_as_it_is_one() -> None:
    assert checked_camera(LOOK | {"evil": "<script>", "layers": "points <b> paths"}) == SEEN
    assert checked_camera({"yaw": 1e300}) == {"yaw": 1e3}


def test_a_chart_that_others_watch_holds_no_key_to_its_runs_and_can_be_withdrawn(runs: LiveRuns) -> None:
    token = runs.start(TASK, DemoConfig())
    feeds = Feeds(lambda: runs)
    feed = feeds.offer("loss", [token], lambda: go.Figure(layout={"uirevision": f"a {token}"}), about="a tab")
    other = feeds.offer("loss too", [token], go.Figure, about="another tab")
    answer = body(ask(feeds, feed.address))
    assert answer["figure"]["layout"]["uirevision"].startswith("a ")
    assert token[:8] not in json.dumps(answer)
    feeds.withdraw("a tab")
    assert ask(feeds, feed.address).status_code == 404
    assert ask(feeds, other.address).status_code == 200


def test_a_class_has_members_as_long_as_they_are_there_and_no_more_than_it_can_see() -> None:
    clock, there = Clock(), [True]
    watching = Watching(members=2, clock=clock)
    room = watching.open(lambda: True, patience=900.0)
    first, second, third = (watching.open(lambda: there[0]) for _ in range(3))
    watching.add(room, first)
    watching.add(room, second)
    with pytest.raises(ValueError, match="sees 2 runs, the most it can"):
        watching.add(room, third)
    watching.close(first)  # who declines
    watching.add(room, third)
    found = watching.find(room)
    assert found is not None
    assert list(found.members) == [second, third]
    watching.close(room)
    with pytest.raises(ValueError, match="over"):
        watching.add(room, third)


def test_a_class_waits_longer_for_its_lecturer_than_a_tab_for_its_owner() -> None:
    clock = Clock()
    watching = Watching(clock=clock)
    room, tab = watching.open(lambda: False, patience=900.0), watching.open(lambda: False)
    clock.now = 500.0
    assert watching.find(tab) is None
    assert watching.find(room) is not None
    clock.now = 901.0
    assert watching.find(room) is None
