"""Fingers on pictures, as a touch screen sends them: one scrolls the page, a tap and two act on the picture."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, FloatRect, Page, expect

LIMIT = 90_000
Finger = tuple[float, float]
Visit = Callable[[str, str], tuple[Page, "Hand", FloatRect]]


class Hand:
    """Real touch events, through the browser's own protocol."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    def _send(self, kind: str, *fingers: Finger) -> None:
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(fingers)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def tap(self, at: Finger) -> None:
        self._send("touchStart", at)
        self._send("touchEnd")

    def drag(self, *fingers: Finger, by: Finger) -> None:
        """Put fingers down, all at once, and move them together in small steps."""
        self._send("touchStart", *fingers)
        for k in range(1, 13):
            self._send("touchMove", *((x + by[0] * k / 12, y + by[1] * k / 12) for x, y in fingers))
        self._send("touchEnd")


@pytest.fixture
def visit(browser: Browser, app: str, settle: Callable[[Page], None]) -> Iterator[Visit]:
    """Open a page on a telephone with the picture in the middle of the screen."""
    contexts = []

    def go(path: str, picture: str) -> tuple[Page, Hand, FloatRect]:
        context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        contexts.append(context)
        tab = context.new_page()
        tab.goto(f"{app}/{path}")
        part = tab.locator(picture).first
        expect(part).to_be_visible(timeout=LIMIT)
        settle(tab)
        part.evaluate("e => e.scrollIntoView({ block: 'center' })")
        tab.wait_for_timeout(500)
        box = part.bounding_box()
        assert box is not None
        return tab, Hand(context.new_cdp_session(tab)), box

    yield go
    for context in contexts:
        context.close()


def _middle(box: FloatRect) -> Finger:
    return box["x"] + box["width"] / 2, box["y"] + min(box["height"], 300) / 2


def _scrolled(tab: Page) -> float:
    return float(tab.get_by_test_id("stMain").evaluate("main => main.scrollTop"))


@pytest.mark.parametrize(
    ("path", "picture"),
    [
        ("resnets", ".live canvas"),
        ("solvers", ".race canvas"),
        ("adjoint", ".adjoint .plane"),
        ("odenet", ".live canvas"),
        ("cnf", ".live canvas"),
        ("solvers", ".stPlotlyChart .js-plotly-plot"),
        ("odenet", ".live-chart.js-plotly-plot"),
    ],
)
def test_a_finger_on_a_picture_scrolls_the_page(path: str, picture: str, visit: Visit) -> None:
    tab, hand, box = visit(path, picture)
    before, (x, y) = _scrolled(tab), _middle(box)
    hand.drag((x - 60, y + 30), by=(0, -200))
    tab.wait_for_function(
        "before => document.querySelector('[data-testid=stMain]').scrollTop > before + 100", arg=before
    )


def test_a_tap_draws_the_path_from_there(visit: Visit) -> None:
    tab, hand, box = visit("odenet", ".live canvas")
    tab.wait_for_timeout(1500)  # the first picture
    hand.tap(_middle(box))
    expect(tab.locator(".live .note")).to_contain_text("from (", timeout=LIMIT)


def test_two_fingers_turn_the_picture_and_the_page_stays(visit: Visit) -> None:
    tab, hand, _ = visit("cnf", ".live canvas")
    tab.locator(".live button", has_text="Time").first.click()
    tab.get_by_label("Let the time t run through the flow").click()  # it stands still
    tab.wait_for_timeout(800)
    canvas = tab.locator(".live canvas")
    before, scrolled = canvas.evaluate("e => e.toDataURL()"), _scrolled(tab)
    part = canvas.bounding_box()
    assert part is not None
    x, y = _middle(part)
    hand.drag((x - 40, y), (x + 40, y), by=(60, 50))
    tab.wait_for_timeout(400)
    assert canvas.evaluate("e => e.toDataURL()") != before
    assert _scrolled(tab) == scrolled


def test_a_tap_in_the_race_starts_there(visit: Visit) -> None:
    tab, hand, box = visit("solvers", ".race canvas")
    hand.tap((box["x"] + 100, box["y"] + 60))
    tab.wait_for_url("**/solvers?*linear_spiral_x0=*", timeout=LIMIT)
