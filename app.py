"""The entry: the ASGI app with Streamlit and our own routes, the page configuration and the navigation.

This file is read twice. The server imports it as the module `app` and serves the object of that name; then
Streamlit runs it as the script of every session, where it draws the frame and hands over to the chosen page.
It holds no widgets of its own: AppTest skips it from the second run on, because there is a folder `pages/`.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.layout import LOGO
from pages.ui.lessons import HOME, LESSONS, Lesson
from pages.ui.live import live_runs
from pages.ui.live_feed import feed_routes, live_feeds
from pages.ui.live_socket import live_routes
from pages.ui.study import executor

COLLECT_EVERY = 45.0  # seconds; why at all: .streamlit/config.toml, runner.postScriptGC


def _page(lesson: Lesson) -> Any:
    # No url_path: AppTest's legacy path derives it from the file name, and so must we.
    return st.Page(lesson.path, title=lesson.title, icon=lesson.icon, default=lesson is HOME)


def _run_session() -> None:
    """Draw the frame of a session and run the page that its address names."""
    st.set_page_config(page_title="Neural ODE lab", page_icon=str(LOGO), layout="wide")
    st.logo(str(LOGO), size="large")
    sections = groupby((HOME, *LESSONS), key=lambda lesson: lesson.section)
    st.navigation({section: [_page(lesson) for lesson in lessons] for section, lessons in sections}).run()


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
    app = st.App(__file__, lifespan=_lifespan, routes=[*live_routes(live_runs), *feed_routes(live_feeds)])
