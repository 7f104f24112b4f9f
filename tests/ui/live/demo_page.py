"""A page with the demo run, for the tests in the browser."""

import streamlit as st

from pages.ui.live import run as live
from tests.ui.live.demo import TASK, DemoConfig
from tests.ui.live.demo_runs import demo_runs

live.live_runs = demo_runs


def page() -> None:
    st.title("Demo")
    speed = st.slider("Turning", 0.0, 15.0, 1.0, 1.0, bind="query-params", key="turning")
    dim = st.radio("dim", [1, 2, 3], index=1, horizontal=True, bind="query-params", key="dim")
    jumps = st.checkbox("jumps")
    if st.button("Lose it"):  # as if room had been needed
        demo_runs().give_up(live.present_run(TASK) or "")
    config = DemoConfig(dim=dim, speed=speed, jumps=jumps)
    token = live.live_run(TASK, config, live_fields=("speed",))
    live.live_controls(token)
    view = live.live_view(token, follows=False)
    st.write(f"status {view.status}")


if __name__ == "__main__":
    page()
