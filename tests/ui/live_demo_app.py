"""The demo as an app with its own routes: `streamlit run tests/ui/live_demo_app.py`."""

from pathlib import Path

import streamlit as st

from pages.ui.live_socket import live_routes
from tests.ui.live_demo_runs import demo_runs

app = st.App(Path(__file__).with_name("live_demo_page.py"), routes=live_routes(demo_runs))
