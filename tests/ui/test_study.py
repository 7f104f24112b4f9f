"""A page that asks for studies: results, sentences for errors, and what the cache keeps."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from node_core.runs.worker import TaskError
from pages.ui import study as module


@dataclass(frozen=True)
class Config:
    n: int


class Fake:
    """Answers n + 1, counts the calls, fails as told."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: TaskError | None = None
        self.hang = self.running = False

    def submit(self, task: str, config: Config, *more: Any, time_limit: float) -> Future[int]:
        self.calls += 1
        future: Future[int] = Future()
        if self.error is not None:
            future.set_exception(self.error)
        elif self.running:
            future.set_running_or_notify_cancel()
            threading.Timer(0.5, future.set_result, [config.n + 1]).start()
        elif not self.hang:
            future.set_result(config.n + 1)
        return future


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    fake = Fake()
    monkeypatch.setattr(module, "executor", lambda: fake)
    st.cache_data.clear()
    yield fake
    st.cache_data.clear()


def page(n: int) -> None:
    import streamlit as st

    from pages.ui.study import study
    from tests.ui.test_study import Config

    result = study("node_core.studies.any:run", Config(n))
    st.write(f"result {result}")
    st.write("the page goes on")


def launch(n: int) -> tuple[list[str], list[str]]:
    app = AppTest.from_function(page, args=(n,)).run()
    assert not app.exception
    return [text.value for text in app.markdown], [error.value for error in app.error]


def test_a_result_arrives_and_the_same_question_is_not_computed_twice(fake: Fake) -> None:
    assert launch(1) == (["result 2", "the page goes on"], [])
    assert launch(1) == (["result 2", "the page goes on"], [])
    assert fake.calls == 1
    assert launch(5)[0][0] == "result 6"
    assert fake.calls == 2


def test_an_error_is_one_sentence_and_is_not_cached(fake: Fake) -> None:
    fake.error = TaskError("solve", "The step became too small at t = 1: try kvaerno5.")
    assert launch(1) == (
        ["result None", "the page goes on"],
        ["The step became too small at t = 1: try kvaerno5."],
    )
    fake.error = None
    assert launch(1)[0][0] == "result 2"


def test_a_fault_of_the_program_is_admitted_without_its_details(fake: Fake) -> None:
    fake.error = TaskError("bug", "KeyError: 'secret path'")
    _, (sentence,) = launch(1)
    assert "not yours" in sentence
    assert "secret" not in sentence


def test_what_a_worker_computes_is_not_given_up_because_the_machine_is_busy(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -19.9)
    fake.running = True
    assert launch(1) == (["result 2", "the page goes on"], [])


def test_a_busy_server_is_told_instead_of_waited_for(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -19.9)
    fake.hang = True
    texts, errors = launch(1)
    assert errors == ["The server is busy with other computations: try again in a moment."]
    assert "the page goes on" in texts
