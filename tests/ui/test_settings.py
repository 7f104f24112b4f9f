"""Pages have settings of their own, though their controls share keys and Streamlit keeps values by key alone."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def _script() -> None:
    from types import SimpleNamespace

    import streamlit as st

    from pages.ui.settings import run_page

    def draw(default: int, most: int) -> None:
        st.slider("rate", 0, most, default, key="rate", bind="query-params")
        if st.session_state.get("cut short"):
            st.stop()

    pages = {"one": lambda: draw(1, 10), "two": lambda: draw(5, 20)}
    name = st.session_state.get("go", "one")
    run_page(SimpleNamespace(url_path=name, run=pages[name]))


def go(at: AppTest, page: str) -> Any:
    at.session_state["go"] = page
    at.run()
    assert not at.exception
    return at.slider(key="rate").value


@pytest.mark.parametrize("cut_short", [False, True])
def test_a_value_stays_on_its_page_even_if_that_never_ran_to_its_end(cut_short: bool) -> None:
    at = AppTest.from_function(_script)
    at.session_state["cut short"] = cut_short
    at.query_params["rate"] = "3"
    assert go(at, "one") == 3
    assert go(at, "two") == 5
    assert "rate" not in at.query_params
    at.query_params["rate"] = "20"  # as the browser does when the slider is moved
    at.slider(key="rate").set_value(20).run()
    assert go(at, "one") == 3
    assert "".join(at.query_params["rate"]) == "3"
    assert go(at, "two") == 20
