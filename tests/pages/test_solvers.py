"""The Solvers page under Streamlit's own test harness: what is asked, what is answered, and what is refused."""

import json
import math
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.fields.systems.systems import SYSTEMS
from pages.ui.solvers.presets import PRESETS
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


def test_what_the_page_wrote_into_the_address_itself_is_not_held_against_it() -> None:
    at = opened(linear_spiral_dt="3")
    assert untroubled(at)
    at.number_input(key="linear_spiral_to").set_value(2.0).run()  # too short a time for a step of 3
    assert float(str(at.select_slider(key="linear_spiral_dt").value)) < 2.0
    assert untroubled(at)
    at = opened(linear_spiral_dt="3", linear_spiral_to="2")  # asked for by a link, it is told
    assert "dt = 3, which can't be used here" in at.warning[0].value.replace("\\", "")


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


def test_a_blow_is_missed_until_the_solvers_are_told() -> None:
    at = opened(system="Struck oscillator", methods=["Dormand-Prince 5(4)", "Rodas5P"])
    assert untroubled(at)
    assert all(not any(lane["sx"]) for lane in player(at)["lanes"])
    assert min(map(float, at.table[0].value["Final error"])) > 0.1
    at.toggle(key="struck_oscillator_told").set_value(True).run()
    assert untroubled(at)
    assert max(map(float, at.table[0].value["Final error"])) < 1e-2
    assert "jumps=(5.0, 5.01)" in at.code[0].value
    again = opened(
        system="Struck oscillator", struck_oscillator_told="true", struck_oscillator_max_step="0.1"
    )
    assert untroubled(again)
    assert "max_step=0.1, jumps=(5.0, 5.01)" in again.code[0].value


def test_a_longest_step_that_makes_no_sense_is_told_in_one_sentence() -> None:
    for text, sentence in (("0", "longest step = 0 can't be used"), ("1e-9", "limit is 10,000")):
        at = opened(system="Sudden bend", sudden_bend_max_step=text)
        assert not at.exception
        assert [sentence in error.value for error in at.error] == [True]


def test_the_jumps_of_a_typed_field_are_read_and_a_word_among_them_is_refused() -> None:
    field = {"system": "Your own field", "formula_dx": "heaviside(t-2) - x", "formula_dy": ""}
    at = opened(**field, formula_jumps="2; 2.5", formula_told="true")
    assert untroubled(at)
    assert "jumps=(2.0, 2.5)" in at.code[0].value
    at = opened(**field, formula_jumps="two")
    assert not at.exception
    assert ["“two” holds no list of times" in error.value for error in at.error] == [True]
    autonomous = opened(system="Your own field", formula_dx="-x", formula_dy="")
    assert "formula_jumps" not in [box.key for box in autonomous.text_input]


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
    from pages.ui.solvers.controls import set_initial_state

    at = opened()
    at.session_state["linear_spiral_x0"] = 1.5
    at.run()
    assert player(at)["start"] == [1.5, 0.0]
    assert callable(set_initial_state)


@pytest.mark.parametrize("key", PRESETS)
def test_every_preset_shows_what_it_says(key: str) -> None:
    at = opened()
    at.button(key=f"preset_{key}").click().run()
    assert untroubled(at)
    table = at.table[0].value.set_index("Method")
    count = {name: int(value.replace(",", "")) for name, value in table["Rejected"].items()}
    error = {name: float(value) if value != "—" else math.inf for name, value in table["Final error"].items()}
    steps = {name: int(value.replace(",", "")) for name, value in table["Accepted"].items()}
    if key == "rejected":
        assert count["Dormand-Prince 5(4)"] >= 3 and count["Bogacki-Shampine 3(2)"] >= 3
    elif key == "outwards":
        assert error["Euler"] > 1000 * error["Runge-Kutta 4"]
    elif key == "stiff":
        assert steps["Dormand-Prince 5(4)"] > 10 * steps["Rodas5P"]
    elif key == "chaos":
        assert "disagree from" in " ".join(text.value for text in at.caption)
    else:
        assert error["Dormand-Prince 5(4)"] > 0.01  # it never learned of the blow


def test_the_critical_step_stands_below_the_slider_and_follows_it() -> None:
    at = opened()
    said = [text.value for text in at.caption if text.value.startswith("Stable")]
    assert len(said) == 1
    assert "Euler below h = 0.0499" in said[0] and "h = 0.1 is too long for Euler" in said[0]
    at = opened(linear_spiral_dt="0.04")
    assert not any("too long" in text.value for text in at.caption)
