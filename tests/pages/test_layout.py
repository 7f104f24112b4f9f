"""What the pages share: the URL-bound controls and the blocks around a picture."""

import json
import math

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.layout import log_grid


def _controls() -> None:
    import streamlit as st

    from pages.ui import layout

    st.session_state["seen"] = {
        "system": layout.choose("System", ["pendulum", "lorenz"], "system", "pendulum"),
        "methods": layout.choose_many("Methods", ["euler", "rk4", "dopri5"], "methods", ["euler", "rk4"]),
        "mu": layout.slide("mu", "mu", 1.0, 0.0, 10.0, 0.5),
        "layers": layout.slide_int("Layers", "layers", 3, 1, 50),
        "rtol": layout.slide_log("Tolerance", "rtol", 1e-4, 1e-10, 1e-1),
        "x0": layout.number("x0", "x0", 2.0, -5.0, 5.0),
        "log": layout.switch("Log axis", "log"),
    }


DEFAULTS = {
    "system": "pendulum",
    "methods": ["euler", "rk4"],
    "mu": 1.0,
    "layers": 3,
    "rtol": 1e-4,
    "x0": 2.0,
    "log": False,
}


def _seen(**query: str | list[str]) -> dict[str, object]:
    at = AppTest.from_function(_controls)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    seen: dict[str, object] = at.session_state["seen"]
    return seen


def test_controls_start_at_their_defaults_and_leave_the_url_clean() -> None:
    assert _seen() == DEFAULTS


@pytest.mark.parametrize(
    ("name", "query", "value"),
    [
        ("system", "lorenz", "lorenz"),
        ("methods", ["euler", "dopri5"], ["euler", "dopri5"]),
        ("mu", "7.5", 7.5),
        ("layers", "20", 20),
        ("rtol", "1e-08", 1e-8),
        ("x0", "-1.25", -1.25),
        ("log", "true", True),
    ],
)
def test_a_link_sets_a_control(name: str, query: str | list[str], value: object) -> None:
    assert _seen(**{name: query}) == {**DEFAULTS, name: value}


@pytest.mark.parametrize(
    ("name", "query"),
    [("system", "pendolum"), ("mu", "1e9"), ("mu", "nan"), ("layers", "many"), ("rtol", "0"), ("x0", "inf")],
)
def test_a_link_with_a_value_that_does_not_fit_gives_a_value_within_the_bounds(name: str, query: str) -> None:
    seen = _seen(**{name: query})
    bounds = {"mu": (0.0, 10.0), "layers": (1, 50), "rtol": (1e-10, 1e-1), "x0": (-5.0, 5.0)}
    if name == "system":
        assert seen["system"] == "pendulum"
    else:
        value = seen[name]
        assert isinstance(value, float | int)
        assert bounds[name][0] <= value <= bounds[name][1]


def test_a_logarithmic_scale_holds_round_numbers_and_both_ends() -> None:
    values = log_grid(1e-3, 1.0)
    assert values == [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert log_grid(1e-10, 1e-8, mantissas=(1.0,)) == [1e-10, 1e-9, 1e-8]


@pytest.mark.parametrize(("minimum", "maximum"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (math.nan, 1.0)])
def test_a_logarithmic_scale_without_positive_ordered_ends_is_refused(minimum: float, maximum: float) -> None:
    with pytest.raises(ValueError, match="0 < minimum < maximum"):
        log_grid(minimum, maximum)


def _picture() -> None:
    import plotly.graph_objects as go

    from pages.ui import layout

    layout.page_header("A title", "A lead.")
    layout.picture(
        go.Figure(go.Scatter(y=[1, 2])), "chart", "Look at this.", equation="y = x", code="\nprint(1)\n"
    )


def test_a_picture_comes_with_its_sentence_equation_and_code() -> None:
    at = AppTest.from_function(_picture).run()
    assert not at.exception
    assert at.title[0].value == "A title"
    assert any("Look at this." in markdown.value for markdown in at.markdown)
    assert "y = x" in at.latex[0].value
    assert at.code[0].value == "print(1)"
    spec = at.get("plotly_chart")[0].proto.spec
    assert go.Figure(json.loads(spec)).data[0].type == "scatter"
