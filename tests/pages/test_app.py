"""The frame of the app and the first page, run by Streamlit's own test harness."""

import asyncio
import gc
import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui.lessons import HOME, LESSONS, Lesson, neighbours

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 30  # seconds a script may take on a busy machine


def _titles(at: AppTest) -> list[str]:
    return [title.value for title in at.title]


@pytest.mark.usefixtures("navigation_app")
def test_the_app_opens_on_the_first_page_again_and_again() -> None:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=LIMIT)
    for _ in range(2):
        at.run()
        assert not at.exception
        assert _titles(at) == ["Neural ODEs that show their work"]


def test_the_first_page_runs_alone() -> None:
    at = AppTest.from_file(str(ROOT / "pages/home.py"), default_timeout=LIMIT).run()
    assert not at.exception
    cards = " ".join(markdown.value for markdown in at.markdown)
    for lesson in LESSONS:
        assert lesson.teaser in cards
    assert "from node_core import odeint" in at.code[0].value


def test_the_snippet_of_the_first_page_runs() -> None:
    at = AppTest.from_file(str(ROOT / "pages/home.py"), default_timeout=LIMIT).run()
    names: dict[str, Any] = {}
    exec(at.code[0].value, names)  # our own text, the one that the page shows
    picture = runpy.run_path(str(ROOT / "assets/draw_home.py"))
    assert np.allclose(names["y0"], picture["STARTS"])
    for index, start in enumerate(picture["STARTS"]):  # the paths that stand in the picture above it
        assert np.allclose(names["few"].ys[-1, index], picture["euler_path"](start, 3)[-1], atol=1e-5)
        assert np.allclose(names["more"].ys[-1, index], picture["euler_path"](start, 10)[-1], atol=1e-5)
        assert np.allclose(names["flow"].ys[:, index], picture["exact_path"](start), atol=1e-5)
    assert len(names["flow"].steps.t) == len(names["flow"].steps.accepted) > 3


@pytest.mark.parametrize("lesson", [HOME, *LESSONS], ids=lambda lesson: lesson.title)
def test_every_listed_page_exists_and_says_what_it_is(lesson: Lesson) -> None:
    assert (ROOT / lesson.path).is_file()
    assert lesson.teaser.endswith(".")
    assert lesson.question.endswith("?")
    assert lesson.icon.startswith(":material/")


def test_every_page_of_the_folder_is_listed() -> None:
    there = {f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py"}
    assert there == {lesson.path for lesson in (HOME, *LESSONS)}


def test_the_lessons_follow_the_lecture_and_each_leads_to_the_next() -> None:
    titles = [lesson.title for lesson in LESSONS]
    lecture = [
        "ResNets to ODEs",
        "Solvers",
        "Adjoint",
        "ODE-Net",
        "Architectures",
        "CNF",
        "Time series",
        "Control",
        "Limits",
    ]
    assert titles == [title for title in lecture if title in titles]
    assert set(titles) <= set(lecture)
    assert neighbours(HOME.path) == (None, LESSONS[0])
    assert neighbours(LESSONS[0].path) == (HOME, LESSONS[1])
    assert neighbours(LESSONS[-1].path) == (LESSONS[-2], None)
    assert neighbours("pages/none.py") == (None, None)


def test_the_server_collects_garbage_on_a_timer_and_ends_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    import app as entry

    collections: list[None] = []
    workers = MagicMock()
    frozen_before = gc.get_freeze_count()

    def collect() -> int:
        collections.append(None)
        return 0

    async def live_for_a_while() -> None:
        async with entry._lifespan(entry.app):
            assert gc.get_freeze_count() > frozen_before
            while len(collections) < 4:
                await asyncio.sleep(0)
            workers.close.assert_not_called()
        stopped_at = len(collections)
        await asyncio.sleep(0.02)
        assert len(collections) == stopped_at, "the collector outlived the server"

    monkeypatch.setattr(entry, "executor", lambda: workers)
    monkeypatch.setattr(entry, "COLLECT_EVERY", 0.0)
    monkeypatch.setattr("gc.collect", collect)
    try:
        # In a thread of its own: in the main one Playwright's event loop may be running.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(asyncio.wait_for(live_for_a_while(), LIMIT))).result()
    finally:
        gc.unfreeze()
    workers.close.assert_called_once_with()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("runner.postScriptGC", False),
        ("server.disconnectedSessionTTL", 15),
        ("server.maxUploadSize", 12),
        ("client.showErrorDetails", "none"),
        ("browser.gatherUsageStats", False),
        ("server.allowedHosts", ["localhost", "127.0.0.1", "::1"]),
    ],
)
def test_streamlit_understands_our_settings(option: str, value: object) -> None:
    assert st.get_option(option) == value
