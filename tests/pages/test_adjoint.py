"""The Adjoint page under Streamlit's own test harness: what is asked, what is answered, and what is refused."""

import json
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from node_core.studies.gradients.fields import FIELDS
from node_core.visualization.gradients import A_COLOUR, BACK_COLOUR, THETA_COLOURS, Z_COLOUR
from tests.pages.harness import charts, components, open_page, untroubled

opened = partial(open_page, "adjoint")


def player(at: AppTest) -> Any:
    return components(at)[0]


def test_the_page_opens_with_the_player_its_table_and_its_code() -> None:
    at = opened()
    assert untroubled(at)
    assert [way["label"] for way in player(at)["ways"]] == ["adjoint", "checkpointed"]
    assert len(json.dumps(player(at))) < 200_000
    assert list(at.table[0].value["Mode"]) == ["adjoint", "checkpointed"]
    assert "gradient=mode" in at.code[0].value
    assert len(charts(at)) == 1


def test_every_symbol_has_the_colour_of_its_curve() -> None:
    at = opened()
    equations = " ".join(latex.value for latex in at.latex)
    for colour in (Z_COLOUR, A_COLOUR, BACK_COLOUR, THETA_COLOURS[0]):
        assert rf"\textcolor{{{colour}}}" in equations
        assert colour in json.dumps(player(at))
    assert equations.count(r"\begin{aligned}") == 1  # Algorithm 1


def test_the_button_shows_the_adjoint_going_wrong_and_checkpointed_right() -> None:
    at = opened(field=FIELDS["linear"].name)
    at.button(key="wrong").click().run()
    assert untroubled(at)
    table = at.table[0].value.set_index("Mode")
    assert float(table.loc["adjoint", "Error of dL/dz(0)"]) > 0.5
    assert float(table.loc["checkpointed", "Error of dL/dz(0)"]) < 0.15
    assert float(table.loc["adjoint", "Largest gap"]) > 1
    assert player(at)["T"] == 10.0


@pytest.mark.parametrize("key", FIELDS)
def test_every_field_opens_at_the_end_and_at_chosen_times(key: str) -> None:
    at = opened(field=FIELDS[key].name, loss="at chosen times")
    assert untroubled(at)
    assert len(player(at)["observed"]) == 3


def test_times_in_the_address_are_taken() -> None:
    at = opened(loss="at chosen times", learned_times="1, 2.5, 4")
    assert untroubled(at)
    assert [entry[0] for entry in player(at)["observed"]] == [1.0, 2.5, 4.0]
    assert player(at)["T"] == 4.0


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("1, x", "not a number"),
        ("1, 99", "lies outside"),
        ("3, 1", "must increase"),
        ("-1", "lies outside"),
        ("1e999", "lies outside"),
    ],
)
def test_bad_times_get_one_sentence_and_nothing_else_breaks(times: str, said: str) -> None:
    at = opened(loss="at chosen times", learned_times=times)
    assert not at.exception
    assert [said in error.value for error in at.error] == [True]
    assert not at.get("bidi_component")


def test_no_mode_at_all_gets_a_sentence() -> None:
    at = opened()
    at.multiselect(key="modes").set_value([]).run()
    assert not at.exception
    assert "at least one gradient mode" in at.error[0].value


@pytest.mark.parametrize(
    "query", [{"rtol": "7"}, {"field": "Nowhere"}, {"horizon": "1e9"}, {"method": "euler"}]
)
def test_an_address_that_asks_in_vain_is_told_so(query: dict[str, str]) -> None:
    at = opened(**query)
    assert not at.exception
    assert "can't be used here" in at.warning[0].value
    assert at.get("bidi_component")


def test_a_way_back_that_fails_is_shown_as_failed() -> None:
    at = opened(field=FIELDS["van_der_pol"].name, van_der_pol_mu="5", rtol="0.001")
    assert not at.exception
    assert not at.error
    assert at.table[0].value.set_index("Mode").loc["adjoint", "Gradient"] == "failed"
    assert "failed" in player(at)["ways"][0]["failure"]


@pytest.mark.parametrize(
    ("tab", "count", "code"),
    [
        ("Tolerance", 4, "gradients.errors"),
        ("Horizon", 1, "run_horizons"),
        ("Memory", 1, "gradients.memory"),
        ("The paper's Figure 3", 3, "adjoint.paper"),
    ],
)
def test_only_the_open_tab_is_computed(tab: str, count: int, code: str) -> None:
    at = opened(view=tab, field=FIELDS["linear"].name)
    assert untroubled(at)
    assert len(charts(at)) == count
    assert any(code in block.value for block in at.code)


def test_the_first_snippet_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    at = opened(field=FIELDS["linear"].name, loss="at chosen times")
    exec(compile(at.code[0].value, "snippet", "exec"), {})
    assert "dL/dz(0)" in capsys.readouterr().out
