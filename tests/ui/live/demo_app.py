"""The demo as an app with its own routes: `streamlit run tests/ui/live/demo_app.py`."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.ui.frame import page_head
from pages.ui.hosts import front_routes
from pages.ui.live.socket import asset_address, live_routes
from pages.ui.tab import TabMiddleware
from tests.ui.live.demo_runs import demo_runs

app = st.App(
    Path(__file__).with_name("demo_page.py"),
    routes=[*live_routes(demo_runs), *front_routes([""], page_head(), asset_address("watch.js"))],
    middleware=[Middleware(TabMiddleware)],
)
