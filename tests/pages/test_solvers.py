"""The Solvers page under Streamlit's own test harness: what is asked, what is answered, and what is refused."""

import json
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.fields.systems import SYSTEMS
from tests.pages.harness import charts, components, open_page, untroubled

opened = partial(open_page, "solvers")


def player(at: AppTest) -> Any:
    return components(at)[0]


def test_the_page_opens_with_a_race_its_table_and_its_timeline() -> None:
    at = opened()
    assert untroubled(at)
    data = player(at)
    assert [lane["label"] for lane in data["lanes"]] == ["Euler", "Runge-Kutta 4", "Dormand-Prince 5(4)"]
    assert len(data["field"]["x"]) == data["field"]["nx"] * data["field"]["ny"]
    assert len(json.dumps(data)) < 200_000
    assert len(charts(at)) == 1
    assert {trace["yaxis"] for trace in charts(at)[0]["data"]} == {"y", "y2", "y3", "y4"}
    assert list(at.table[0].value["Method"]) == ["Euler", "Runge-Kutta 4", "Dormand-Prince 5(4)"]
    assert "odeint(f, y0, ts" in at.code[0].value


def test_another_step_size_changes_the_race() -> None:
    at = opened()
    before = player(at)["lanes"][0]["steps"]
    at.select_slider(key="linear_spiral_dt").set_value(0.2).run()
    assert untroubled(at)
    assert player(at)["lanes"][0]["steps"] == before // 2


def test_the_address_opens_the_page_as_it_was() -> None:
    at = opened(system="Linear decay", linear_decay_rate="5", linear_decay_dt="0.8", linear_decay_y0="2")
    assert untroubled(at)
    assert player(at)["start"] == [0.0, 2.0]
    assert "exploded at t =" in at.table[0].value["Status"][0]


@pytest.mark.parametrize("key", SYSTEMS)
def test_every_system_opens_without_trouble(key: str) -> None:
    at = opened(system=SYSTEMS[key].name)
    assert untroubled(at)
    assert (
        player(at)["yTitle"] == SYSTEMS[key].state_names[SYSTEMS[key].plane[1] if SYSTEMS[key].dim > 1 else 0]
    )


@pytest.mark.parametrize("view", ["Stability", "Order", "Work and precision", "Zoom"])
def test_a_tab_computes_when_it_is_opened(view: str) -> None:
    at = opened(view=view)
    assert untroubled(at)
    assert charts(at)
    assert "type" in charts(at)[0]["data"][0]
    assert "yaxis4" not in charts(at)[0]["layout"]  # the timeline of the closed tab was not drawn


def test_an_emptied_list_of_methods_is_no_junk_in_the_address() -> None:
    at = opened(methods="")
    assert not at.warning
    assert "0 methods" in at.error[0].value


def test_junk_in_the_address_is_answered_with_a_sentence_and_the_default() -> None:
    at = opened(system="Foo", rtol="[a](b)", linear_spiral_dt="0")
    assert not at.exception
    assert not at.error
    said = at.warning[0].value
    assert "system = Foo, which can't be used here; it is Linear spiral now" in said.replace("\\", "")
    assert "dt = 0" in said.replace("\\", "")
    assert "[a](b)" not in said  # no link of a stranger's making
    assert player(at)["lanes"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"linear_spiral_to": "-1"}, "reversed"),
        ({"linear_spiral_to": "0"}, "empty"),
        ({"methods": ""}, "0 methods"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_in_one_sentence(query: dict[str, str], sentence: str) -> None:
    at = opened(**query)
    assert not at.exception
    assert [sentence in error.value for error in at.error] == [True]
    assert at.title[0].value == "Solvers"
    assert at.selectbox(key="system").value == "linear_spiral"


def test_a_typing_error_in_a_formula_is_pointed_at() -> None:
    at = opened(system="Your own field", formula_dx="y +* x")
    assert not at.exception
    assert len(at.error) == 1
    shown, caret = at.code[0].value.splitlines()
    assert shown == "y +* x"
    assert caret.index("^") == shown.index("*")


def test_a_free_name_of_a_formula_becomes_a_slider() -> None:
    at = opened(system="Your own field", formula_dx="k*y", formula_dy="-x")
    assert untroubled(at)
    at.slider(key="formula_k").set_value(3.0).run()
    assert untroubled(at)
    assert "k=3.0" in at.code[0].value
    assert "parse_field({'x': 'k*y', 'y': '-x'})" in at.code[0].value


def test_one_method_races_but_two_are_asked_for() -> None:
    at = opened()
    at.multiselect(key="methods").set_value(["rk4"]).run()
    assert not at.exception
    assert "at least two" in at.info[0].value
    assert len(player(at)["lanes"]) == 1


def test_a_click_in_the_plane_becomes_the_initial_state() -> None:
    from pages.ui.race_controls import set_initial_state

    at = opened()
    at.session_state["linear_spiral_x0"] = 1.5
    at.run()
    assert player(at)["start"] == [1.5, 0.0]
    assert callable(set_initial_state)
