"""The entry: the ASGI app with Streamlit and our own routes, the page configuration and the navigation.

This file is read twice. The server imports it as the module `app` and serves the object of that name; then
Streamlit runs it as the script of every session, where it draws the frame and hands over to the chosen page.
It holds no widgets of its own: AppTest skips it from the second run on, because there is a folder `pages/`.
"""

import asyncio
import gc
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.first_picture import FirstPicture, FirstPictures
from pages.ui.frame import page_head
from pages.ui.hosts import HostGuard, base_path, front_routes, tidy_names
from pages.ui.layout import LOGO, lesson_footer
from pages.ui.lessons import HOME, LESSONS, Lesson
from pages.ui.live.feed import feed_routes, live_feeds
from pages.ui.live.run import live_runs
from pages.ui.live.socket import asset_address, live_routes
from pages.ui.settings import run_page
from pages.ui.study import executor
from pages.ui.tab import TabMiddleware
from pages.ui.zipped import Zipped

COLLECT_EVERY = 45.0  # seconds; why at all: .streamlit/config.toml, runner.postScriptGC


def _page(lesson: Lesson) -> Any:
    # No url_path: AppTest's legacy path derives it from the file name, and so must we.
    return st.Page(lesson.path, title=lesson.title, icon=lesson.icon, default=lesson is HOME)


def _run_session() -> None:
    """Draw the frame of a session and run the page that its address names."""
    st.set_page_config(page_title="Neural ODE lab", page_icon=str(LOGO), layout="wide")
    st.logo(str(LOGO), size="large")
    offered = {_page(lesson): lesson for lesson in (HOME, *LESSONS)}
    sections = groupby(offered, key=lambda page: offered[page].section)
    page = st.navigation({section: list(pages) for section, pages in sections})
    run_page(page)
    if offered[page] is not HOME:  # whose cards lead on already
        lesson_footer(offered[page].path)


def _first_pictures(names: list[str]) -> list[FirstPicture]:
    """Those of the lessons that have one, each in its own room."""
    rooms = [f"pages.ui.{name or 'home'}" for name in names]
    found = [importlib.import_module(f"{room}.first_picture") for room in rooms if _has_picture(room)]
    return [picture for module in found if (picture := module.first_picture()) is not None]


def _has_picture(room: str) -> bool:
    return find_spec(room) is not None and find_spec(f"{room}.first_picture") is not None


async def _collect_garbage_regularly() -> None:
    """Collect reference cycles on a timer, off the event loop's thread, instead of after every script run."""
    while True:
        await asyncio.sleep(COLLECT_EVERY)
        await asyncio.to_thread(gc.collect)


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[None]:
    workers = executor()  # they import torch now, not when the first visitor waits for a picture
    gc.collect()
    gc.freeze()  # modules live as long as the server does: later collections need not walk through them
    collector = asyncio.create_task(_collect_garbage_regularly())
    try:
        yield
    finally:
        collector.cancel()
        with suppress(asyncio.CancelledError):
            await collector
        await asyncio.to_thread(workers.close)


if __name__ == "__main__":
    _run_session()
else:
    # A deep link to a freshly started server would else take the legacy multipage path, because there is a folder
    # `pages/`: a bare page without our navigation. Streamlit sets this only once st.navigation has run.
    PagesManager.uses_pages_directory = False
    tidy_names()
    below = base_path()
    names = ["", *(Path(lesson.path).stem for lesson in LESSONS)]
    routes = [*live_routes(live_runs, below), *feed_routes(live_feeds, below)]
    pictures = FirstPictures(_first_pictures(names), below)
    routes += front_routes(names, page_head(), asset_address("watch.js"), below, pictures.into)
    routes += pictures.routes()
    app = st.App(
        __file__,
        lifespan=_lifespan,
        routes=routes,
        middleware=[Middleware(HostGuard), Middleware(TabMiddleware), Middleware(Zipped, below)],
    )
