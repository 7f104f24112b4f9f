"""The demo's live runs: like the app's, but tasks may live in the tests."""

import streamlit as st

from node_core.runs.executor import Executor
from node_core.runs.scheduler import LiveRuns


@st.cache_resource(show_spinner=False)
def demo_runs() -> LiveRuns:
    return LiveRuns(Executor(2, packages=("node_core", "tests")))
