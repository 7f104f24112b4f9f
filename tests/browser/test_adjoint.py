"""The Adjoint page as a class uses it: play forward and backward, scrub, choose a mode, make the adjoint go wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

Settle = Callable[[Page], None]
Shot = Callable[[Page, str], Path]
LIMIT = 90_000


def _open(page: Page, app: str, query: str = "") -> None:
    page.goto(f"{app}/adjoint{query}")
    expect(page.locator(".adjoint .modes button").first).to_be_visible(timeout=LIMIT)


def _untroubled(page: Page) -> None:
    for kind in ("stAlertContentError", "stAlertContentWarning", "stException"):
        expect(page.locator(f'[data-testid="{kind}"]')).to_have_count(0)


def _place(page: Page) -> float:
    return float(page.locator(".adjoint").get_attribute("data-place") or "nan")


def _scrub(page: Page, place: int) -> bytes:
    page.get_by_label("forward and backward through time").fill(str(place))
    return page.locator(".adjoint .plane").screenshot()


def test_the_way_there_and_back_is_replayed_on_the_client(page: Page, app: str, settle: Settle) -> None:
    _open(page, app)
    settle(page)
    assert _place(page) == 2.0
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".adjoint")).to_have_attribute("data-place", re.compile(r"^0\.[1-9]"), timeout=LIMIT)
    page.get_by_role("button", name="Pause").click()
    stopped = _place(page)
    page.wait_for_timeout(300)
    assert _place(page) == stopped
    expect(page.locator(".adjoint .now")).to_contain_text("forward, t =")
    pictures = {_scrub(page, place) for place in (300, 1000, 1500, 2000)}
    assert len(pictures) == 4
    expect(page.locator(".adjoint .now")).to_have_text("backward, t = 0")
    _untroubled(page)


def test_scrubbing_asks_nothing_of_the_server(page: Page, app: str, settle: Settle) -> None:
    _open(page, app)
    settle(page)
    frames: list[object] = []
    page.on("websocket", lambda socket: frames.append(socket))
    page.on("request", lambda request: frames.append(request.url))
    for place in (200, 900, 1400):
        _scrub(page, place)
    asked = [frame for frame in frames if not str(frame).endswith("health")]
    assert not asked


def test_the_button_makes_the_adjoint_go_wrong_from_any_field(
    page: Page, app: str, settle: Settle, shot: Shot
) -> None:
    _open(page, app, "?field=Linear+spiral&rtol=0.01")
    settle(page)
    page.get_by_role("button", name="When the adjoint goes wrong").click()
    modes = page.locator(".adjoint .modes button")
    expect(modes).to_have_count(4, timeout=LIMIT)
    settle(page)
    adjoint, checkpointed = (
        modes.filter(has_text=name).first.inner_text() for name in ("adjoint", "checkpointed")
    )
    off = [float(re.findall(r"([\d.]+) % off", text)[0]) for text in (adjoint, checkpointed)]
    assert off[0] > 50
    assert off[1] < 15
    assert "horizon=10" in page.url
    assert "Linear" not in page.url
    shot(page, "adjoint")
    _untroubled(page)


def test_another_mode_is_shown_without_a_run(page: Page, app: str, settle: Settle) -> None:
    _open(page, app, "?horizon=10&rtol=0.001")
    settle(page)
    lost = page.locator(".adjoint .plane").screenshot()
    page.locator(".adjoint .modes button").filter(has_text="checkpointed").click()
    assert page.locator(".adjoint .plane").screenshot() != lost
    expect(page.locator(".adjoint .modes button[aria-pressed=true]")).to_contain_text("checkpointed")
    _untroubled(page)


@pytest.mark.parametrize(
    ("tab", "charts"), [("Tolerance", 4), ("Horizon", 1), ("Memory", 1), ("The paper's Figure 3", 3)]
)
def test_every_tab_opens(tab: str, charts: int, page: Page, app: str, settle: Settle) -> None:
    _open(page, app, "?field=Linear+spiral")
    settle(page)
    page.get_by_role("tab", name=tab).click()
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(charts, timeout=LIMIT)
    settle(page)
    _untroubled(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_in_both_themes(
    scheme: Literal["light", "dark"], app: str, browser: Browser, settle: Settle
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    tab = context.new_page()
    _open(tab, app)
    settle(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    plane, strips = (tab.locator(f".adjoint .{name}").bounding_box() for name in ("plane", "strips"))
    assert plane is not None
    assert strips is not None
    assert strips["y"] >= plane["y"] + plane["height"]
    context.close()
