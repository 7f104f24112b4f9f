"""The page Limits under Streamlit's own test harness: every control to its end, and nothing asked of a worker."""

from functools import partial
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from node_core.runs.executor import Executor
from node_core.runs.shipped import find
from node_core.runs.worker import TaskError
from node_core.studies.gradients.fields import FIELDS
from node_core.studies.limits.questions import SWAPS
from tests.pages.harness import components, open_page, untroubled

opened = partial(open_page, "limits")
ALL_CHARTS = 10


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here came with the project, whatever is chosen."""

    def submit(self: Executor, *args: Any, **options: Any) -> Any:
        raise AssertionError(f"a worker was asked: {args}")

    monkeypatch.setattr(Executor, "submit", submit)
    st.cache_data.clear()


def figures(at: AppTest) -> list[Any]:
    return [entry["figure"] for entry in components(at) if "figure" in entry]


def said(at: AppTest) -> str:
    return " ".join(text.value for text in at.markdown)


def test_the_page_opens_with_its_gains_and_six_panels() -> None:
    at = opened()
    assert untroubled(at)
    assert [heading.value[:2] for heading in at.subheader] == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert len(figures(at)) == ALL_CHARTS
    assert said(at).count(":green[") == 4
    assert said(at).count(":material/healing:") == 6
    assert len(at.code) == 7


def test_a_remedy_is_a_lane_beside_and_a_sentence() -> None:
    before = len(figures(opened())[0]["data"])
    for remedy in ("loose tolerance", "kinetic energy penalised", "Jacobian penalised"):
        at = opened(remedy=remedy)
        assert untroubled(at)
        assert len(figures(at)[0]["data"]) == before + 2
        assert f"With {remedy}:" in said(at)


def test_the_digits_know_no_penalty_and_forget_one_that_was_chosen() -> None:
    at = opened(task="digits", remedy="loose tolerance")
    assert untroubled(at)
    assert "test images right" in said(at)
    at = opened(task="digits", remedy="kinetic energy penalised")
    assert not at.exception
    assert "Choose a remedy" in said(at)


@pytest.mark.parametrize(
    ("mu", "way", "field", "flow", "beside", "trained"),
    [
        ("1", "explicit", "linear", "sign flip", "a ResNet", "two Euler steps"),
        ("1", "implicit beside", "van_der_pol", "annulus", "one more dimension", "eight Euler steps"),
        ("20", "implicit beside", "learned", "annulus", "a ResNet", "one Runge-Kutta 4 step"),
        ("100", "explicit", "van_der_pol", "sign flip", "one more dimension", "Dormand-Prince at 1e-3"),
    ],
)
def test_every_control_at_its_ends(
    mu: str, way: str, field: str, flow: str, beside: str, trained: str
) -> None:
    name = FIELDS[field].name
    at = opened(
        mu=mu, way=way, field=name, kept="true", flow=flow, beside=beside, trained=trained, prices="two rings"
    )
    assert untroubled(at)
    assert f"at μ = {mu}" in said(at)
    assert ("Rodas5P takes" in said(at)) == (way == "implicit beside")
    assert name in said(at) and "They pay in memory" in said(at)
    assert ("A ResNet jumps" in said(at)) == (beside == "a ResNet")
    assert ("ball" in said(at)) == (flow == "annulus")
    assert "training points right, 1,224 parameters" in said(at)
    swapped = find("node_core.studies.classifier.solver_swap:run", SWAPS[trained])
    assert swapped is not None
    assert ("it is no ODE" in said(at)) == (swapped.answer.verdict == "not an ode")
    assert ("hangs on the solver no longer" in said(at)) == (swapped.answer.verdict == "ode")


@pytest.mark.parametrize(
    ("noise", "winner"), [("little noise", "cubic spline"), ("much noise", "latent ODE")]
)
def test_series_stand_beside_the_nets(noise: str, winner: str) -> None:
    at = opened(prices=f"spirals, {noise}")
    assert untroubled(at)
    assert f"Between them the {winner} wins" in said(at)
    assert list(at.table[0].value["Way"]) == ["cubic spline", "GRU", "latent ODE"]


def test_every_way_into_another_lesson_is_understood_there(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[tuple[str, dict[str, Any]]] = []

    def page_link(path: str, *, query_params: dict[str, Any], **_: Any) -> None:
        ways.append((path.removeprefix("pages/").removesuffix(".py"), query_params))

    def busy(self: Executor, *args: Any, **options: Any) -> Any:
        raise TaskError("time", "no worker here")

    with monkeypatch.context() as patched:
        patched.setattr(st, "page_link", page_link)
        opened(mu="20", field=FIELDS["van_der_pol"].name, flow="annulus", prices="digits")
    monkeypatch.setattr(Executor, "submit", busy)
    assert len(ways) >= 8
    for name, query in ways:
        if not query:
            continue
        at = open_page(name, **query)
        assert not [said.value for said in at.warning], (name, query)
        assert not at.exception, (name, query)


def test_junk_in_the_address_is_told_and_something_else_is_shown() -> None:
    at = opened(mu="7", task="mars", way="", field="x" * 50)
    assert not at.exception
    told = at.warning[0].value
    assert "mu = 7" in told and "task = mars" in told and "field" in told
    assert len(figures(at)) == ALL_CHARTS
