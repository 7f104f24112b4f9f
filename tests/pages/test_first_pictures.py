"""A page as its address opens it waits for no worker: what it shows first came with the project."""

import json
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from node_core.runs.executor import Executor
from node_core.studies.architectures.table_config import MODELS
from pages.ui.adjoint import first_picture as adjoint
from pages.ui.cnf import first_picture as cnf
from pages.ui.live.run import live_runs
from pages.ui.odenet import first_picture as odenet
from pages.ui.resnets import first_picture as resnets
from pages.ui.solvers import first_picture as solvers
from pages.ui.study import executor
from tests.pages.harness import LIMIT, PAGES, charts, components, open_page, run_token, untroubled

# What a canvas is told beside its view.
OF_A_RUN = {"token", "slot", "module", "follows", "begun", "fate", "subject"}


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What workers were asked for all the same."""
    asked: list[Any] = []
    executor().close()
    executor.clear()
    live_runs.clear()
    ours = executor()

    def submit(self: Executor, *args: Any, **options: Any) -> Any:
        if self is ours:  # a run of a test before may still go on in another's
            asked.append(args)
        raise RuntimeError("no worker here")

    monkeypatch.setattr(Executor, "submit", submit)
    st.cache_data.clear()
    return asked


def has_picture(at: AppTest, *names: str) -> bool:
    return all(live_runs().look(run_token(at, name)).snapshot is not None for name in names)


@pytest.mark.parametrize("net", ["", "Two spirals, one more dimension"])
def test_resnets(no_worker: list[Any], net: str) -> None:
    at = open_page("resnets", **({"net": net} if net else {}))
    assert untroubled(at)
    assert not no_worker
    assert has_picture(at, "depth", "limit")


def test_solvers(no_worker: list[Any]) -> None:
    at = open_page("solvers")
    assert untroubled(at)
    assert not no_worker
    assert len(components(at)[0]["lanes"]) == 3


def test_times_are_measured_here_when_asked_for(no_worker: list[Any]) -> None:
    at = open_page("adjoint", view="Tolerance")
    assert "recorded beforehand" in " ".join(text.value for text in at.caption)
    at.button(key="measured here: node_core.studies.gradients.errors:run button").click().run()
    assert no_worker


def test_adjoint_and_its_preset(no_worker: list[Any]) -> None:
    at = open_page("adjoint")
    assert untroubled(at)
    assert len(components(at)[0]["ways"]) == 2
    at.button(key="wrong").click().run()
    assert untroubled(at)
    assert len(components(at)[0]["ways"]) == 4
    assert not no_worker


@pytest.mark.parametrize("tab", ["Tolerance", "Horizon", "Memory", "The paper's Figure 3"])
def test_slow_tabs_of_adjoint(no_worker: list[Any], tab: str) -> None:
    at = open_page("adjoint", view=tab)
    assert untroubled(at)
    assert not no_worker


@pytest.mark.parametrize("preset", ["", "circles", "spirals", "annulus", "flip"])
def test_odenet_and_its_presets(no_worker: list[Any], preset: str) -> None:
    at = open_page("odenet")
    if preset:
        at.button(key=f"preset_{preset}").click().run()
    assert untroubled(at)
    assert not no_worker
    names = {"annulus": ("run", "larger"), "flip": ("run", "larger", "resnet")}
    assert has_picture(at, *names.get(preset, ("run",)))


def test_architectures(no_worker: list[Any]) -> None:
    at = open_page("architectures")
    assert untroubled(at)
    assert not no_worker
    assert has_picture(at, *MODELS)


def test_memory_of_architectures(no_worker: list[Any]) -> None:
    at = open_page("architectures", study="Memory")
    assert untroubled(at)
    assert not no_worker
    assert "recorded beforehand" in " ".join(text.value for text in at.caption)
    assert len(at.get("plotly_chart")) == 2


def test_cnf(no_worker: list[Any]) -> None:
    at = open_page("cnf")
    assert untroubled(at)
    assert not no_worker
    assert has_picture(at, "run")


def test_the_cost_of_cnf_says_that_it_was_recorded(no_worker: list[Any]) -> None:
    at = open_page("cnf", study="Cost")
    assert untroubled(at)
    assert not no_worker
    assert any("Recorded beforehand" in text.value for text in at.markdown)


def test_any_other_question_is_asked(no_worker: list[Any]) -> None:
    at = open_page("cnf", target="Pinwheel")
    assert no_worker
    assert live_runs().look(run_token(at)).snapshot is None
    assert json.dumps(components(at)[0])  # the page stands, and waits


@pytest.mark.parametrize(("page", "room"), [("resnets", resnets), ("odenet", odenet), ("cnf", cnf)])
def test_a_first_picture_is_viewed_as_the_page_views_it(page: str, room: Any) -> None:
    picture = room.first_picture()
    assert picture is not None
    own = [data for data in components(open_page(page)) if "layers" in data]
    assert len(own) == len(picture.components)
    for component, data in zip(picture.components, own, strict=True):
        view = {key: value for key, value in data.items() if key not in OF_A_RUN}
        assert {key: component.data[key] for key in view} == view
        assert component.picture == live_runs().look(data["token"]).snapshot


@pytest.mark.parametrize(("page", "room"), [("solvers", solvers), ("adjoint", adjoint)])
def test_a_player_is_given_what_the_page_gives_it(page: str, room: Any) -> None:
    picture = room.first_picture()
    assert picture is not None
    assert components(open_page(page))[0] == json.loads(json.dumps(picture.components[0].data))


def test_what_stands_below_comes_after_the_picture() -> None:
    at = AppTest.from_file(str(PAGES / "solvers.py"), default_timeout=LIMIT).run()
    assert untroubled(at)
    assert components(at)[0]["lanes"]
    assert not at.table
    assert not charts(at)
    at.session_state["the whole page"] = True  # as the browser says by the component below the picture
    at.run()
    assert at.table
    assert charts(at)


def test_an_address_that_asks_for_something_is_not_kept_waiting() -> None:
    at = AppTest.from_file(str(PAGES / "solvers.py"), default_timeout=LIMIT)
    at.query_params["view"] = "Stability"
    assert at.run().table
