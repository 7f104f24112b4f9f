"""The Solvers page as a class uses it: play the race, drag a step, click a start, open every tab."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

Settle = Callable[[Page], None]
Shot = Callable[[Page, str], Path]
LIMIT = 60_000


def _open(page: Page, app: str, query: str = "") -> None:
    page.goto(f"{app}/solvers{query}")
    expect(page.locator(".race .chip").first).to_be_visible(timeout=LIMIT)


def _untroubled(page: Page) -> None:
    expect(page.locator('[data-testid="stAlertContentError"]')).to_have_count(0)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def _fraction(page: Page) -> float:
    return float(page.locator(".race").get_attribute("data-fraction") or "nan")


def test_the_race_replays_on_the_client(page: Page, app: str, settle: Settle, shot: Shot) -> None:
    _open(page, app)
    settle(page)
    assert _fraction(page) == 1.0
    # the first page of a fresh server may be a deep link like this one: it has the app's own navigation
    expect(page.get_by_role("link", name="Home")).to_be_visible()
    shot(page, "solvers")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".race")).to_have_attribute("data-fraction", re.compile(r"^0\.[1-9]"), timeout=LIMIT)
    page.get_by_role("button", name="Pause").click()
    halfway = _fraction(page)
    assert 0.0 < halfway < 1.0
    page.wait_for_timeout(300)
    assert _fraction(page) == halfway
    page.get_by_label("time of the replay").fill("500")
    assert _fraction(page) == 0.5
    page.get_by_role("button", name="clock: time").click()
    expect(page.locator(".race .now")).to_contain_text("NFE")
    _untroubled(page)


def test_a_click_in_the_plane_starts_there_and_stays_in_the_address(
    page: Page, app: str, settle: Settle
) -> None:
    _open(page, app)
    settle(page)
    before = page.locator(".race canvas").screenshot()
    page.locator(".race canvas").click(position={"x": 400, "y": 120})
    page.wait_for_url("**/solvers?*linear_spiral_x0=*", timeout=LIMIT)
    settle(page)
    assert page.locator(".race canvas").screenshot() != before
    _untroubled(page)


def test_the_start_is_dragged_by_its_ring_and_the_address_brings_it_back(
    page: Page, app: str, settle: Settle
) -> None:
    _open(page, app)
    settle(page)
    canvas = page.locator(".race canvas")
    box = canvas.bounding_box()
    assert box is not None
    # the plane is symmetric around the origin: x = 2 lies right of the middle, found by the pointer that grasps
    y = box["y"] + 26 + (box["height"] - 74) / 2
    ring = 0
    for x in range(int(box["x"] + box["width"] / 2), int(box["x"] + box["width"]), 6):
        page.mouse.move(x, y)
        if canvas.evaluate("canvas => canvas.style.cursor") == "grab":
            ring = x
            break
    assert ring
    page.mouse.move(ring + 8, y)
    page.mouse.down()
    page.mouse.move(ring - 60, y - 80, steps=4)
    assert canvas.evaluate("canvas => canvas.style.cursor") == "grabbing"
    page.mouse.up()
    page.wait_for_url("**/solvers?*linear_spiral_y0=*", timeout=LIMIT)
    settle(page)
    start = {name: float(re.findall(rf"linear_spiral_{name}0=([-\d.]+)", page.url)[0]) for name in ("x", "y")}
    assert start["x"] < 2.0 and start["y"] > 0.2
    _open(page, app, page.url.partition("solvers")[2])
    settle(page)
    page.get_by_text("Initial state and time span").click()
    for name, value in start.items():
        expect(page.get_by_label(f"{name}(t₀)")).to_have_value(str(value))
    _untroubled(page)


def test_dragging_the_step_and_the_tolerance_changes_the_race(page: Page, app: str, settle: Settle) -> None:
    _open(page, app)
    settle(page)
    chips = page.locator(".race .chip")
    euler, dopri = chips.nth(0).inner_text(), chips.nth(2).inner_text()
    page.get_by_role("slider", name="Step size of the fixed-step methods").focus()
    page.keyboard.press("ArrowRight")
    expect(chips.nth(0)).not_to_have_text(euler, timeout=LIMIT)
    page.get_by_role("slider", name="Tolerance of the adaptive methods").focus()
    page.keyboard.press("ArrowLeft")
    expect(chips.nth(2)).not_to_have_text(dopri, timeout=LIMIT)
    assert "linear_spiral_dt=0.12" in page.url
    _untroubled(page)


@pytest.mark.parametrize(
    ("view", "charts"),
    [("Stability", 3), ("Order", 1), ("Work and precision", 2), ("Zoom", 1), ("Over time", 1)],
)
def test_every_tab_draws_its_pictures(
    page: Page, app: str, settle: Settle, shot: Shot, view: str, charts: int
) -> None:
    _open(page, app, "?system=Van+der+Pol")
    settle(page)
    page.get_by_role("tab", name=view, exact=True).click()
    expect(page.locator('[data-testid="stPlotlyChart"] .main-svg').first).to_be_visible(timeout=LIMIT)
    settle(page)
    expect(page.locator('[data-testid="stPlotlyChart"]:visible')).to_have_count(charts, timeout=LIMIT)
    page.locator('[data-testid="stPlotlyChart"]:visible').first.scroll_into_view_if_needed()
    shot(page, f"solvers-{view.split()[0].lower()}")
    _untroubled(page)


def test_choosing_a_system_and_methods_by_hand(
    page: Page, app: str, settle: Settle, choose: Callable[[Locator, str], None]
) -> None:
    _open(page, app)
    settle(page)
    choose(page.get_by_role("combobox", name="System"), "Linear decay")
    expect(page.locator(".race .now")).to_have_text("t = 5", timeout=LIMIT)
    settle(page)  # a menu closes when the page is drawn anew under it
    choose(page.get_by_role("combobox", name="Methods to compare"), "Implicit Euler")
    expect(page.locator(".race .chip")).to_have_count(4, timeout=LIMIT)
    settle(page)
    _untroubled(page)


def test_an_explosion_is_told_on_the_board_and_in_the_table(
    page: Page, app: str, settle: Settle, shot: Shot
) -> None:
    _open(page, app, "?system=Linear+decay&linear_decay_rate=10")
    settle(page)
    expect(page.locator(".race .boom").first).to_contain_text("exploded at t = 2")
    expect(page.locator('[data-testid="stTable"]')).to_contain_text("exploded at t = 2")
    shot(page, "solvers-explosion")
    page.get_by_label("time of the replay").fill("150")
    expect(page.locator(".race .chip small").first).to_have_text(re.compile("^1 step, 0 rejected"))
    _untroubled(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(browser: Browser, app: str, settle: Settle, shot: Shot, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    phone = context.new_page()
    try:
        _open(phone, app)
        settle(phone)
        wide = phone.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"the page is {wide} px wide on a phone of 390"
        phone.locator(".race canvas").scroll_into_view_if_needed()
        shot(phone, f"solvers-phone-{scheme}")
        canvas = phone.locator(".race canvas").bounding_box()
        assert canvas is not None
        assert canvas["width"] > 300
        _untroubled(phone)
    finally:
        context.close()
