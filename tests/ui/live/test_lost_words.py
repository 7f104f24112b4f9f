"""What a page says of runs that its server has lost."""

import pytest
from streamlit.testing.v1 import AppTest

from node_core.runs.record import View
from pages.ui.live import run as live

RESTARTED = "The server has lost your runs, as when it is started anew"


class Standing:
    """Runs that stand as they are told."""

    def __init__(self, **views: View) -> None:
        self._views = views

    def look(self, token: str) -> View:
        return self._views[token]


def view(
    resumed: int | None = None,
    refusal: str = "",
    played: bool = False,
    resuming: bool = False,
    missing: int = 0,
) -> View:
    return View("paused", "", 1, b"", None, played, 0, resuming, resumed, refusal, missing)


def page(tokens: list[str]) -> None:
    from pages.ui.live.run import _tell_what_was_lost

    _tell_what_was_lost(tokens)


@pytest.mark.parametrize(
    ("views", "given_up", "sentence"),
    [
        ([view(), view()], False, ""),
        ([view(played=True), view()], False, ""),
        ([view(resuming=True), view()], True, ""),
        ([view(1512, played=True), view(played=True)], False, f"{RESTARTED}: your net was taken from this tab, "
         "at iteration 1,512."),
        ([view(87), view(44)], False, f"{RESTARTED}: 2 of your nets were taken from this tab, at iterations 44 to 87."),
        ([view(1512, missing=118)], False, "The server has lost your run, as when it is started anew: your net was "
         "taken from this tab, at iteration 1,512. 118 more, which it had shown, are lost: it keeps a net that plays "
         "only now and then."),
        ([view(87, missing=1), view(87)], False, f"{RESTARTED}: 2 of your nets were taken from this tab, at "
         "iteration 87. Up to 1 more, which it had shown, is lost: it keeps a net that plays only now and then."),
        ([view(refusal="It is *damaged*."), view(44)], False, f"{RESTARTED}. What this tab has kept was refused: "
         "It is \\*damaged\\*. That begins anew."),
        ([view(), view()], True, "While nobody watched, your runs had to make room for others on this server: this "
         "begins anew."),
    ],
)  # fmt: skip
def test_it_is_said_once_for_all_runs_of_the_page(
    monkeypatch: pytest.MonkeyPatch, views: list[View], given_up: bool, sentence: str
) -> None:
    tokens = [f"t{k}" for k in range(len(views))]
    monkeypatch.setattr(live, "live_runs", lambda: Standing(**dict(zip(tokens, views, strict=True))))
    memory = {live._instead("t0"): "before"} if given_up else {}
    monkeypatch.setattr(live, "tab_memory", lambda: memory)
    at = AppTest.from_function(page, args=(tokens,)).run()
    assert not at.exception
    assert [found.value for found in [*at.info, *at.warning]] == ([sentence] if sentence else [])


def test_a_run_that_plays_on_or_began_anew_is_told_of_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    standing = Standing(t0=view(played=True))
    monkeypatch.setattr(live, "live_runs", lambda: standing)
    memory = {live._instead("t0"): "before"}
    monkeypatch.setattr(live, "tab_memory", lambda: memory)
    AppTest.from_function(page, args=(["t0"],)).run()
    standing._views["t0"] = view()  # reset by its owner
    assert not AppTest.from_function(page, args=(["t0"],)).run().info
