"""The pages on a projector, on a telephone and at 200 % zoom: what must be seen is in sight, whole and in its order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

Settle = Callable[[Page], None]
Visit = Callable[[str, int, int], Page]
LIMIT = 90_000


@dataclass(frozen=True)
class Shown:
    """Where a page is, and how its picture and the button that plays it are found."""

    path: str
    picture: str
    play: str | None = None


PAGES = [
    Shown("", ".stMain img"),
    Shown("resnets", ".live canvas"),
    Shown("solvers", ".race canvas", ".race .play"),
    Shown("adjoint", ".adjoint .plane", ".adjoint .play"),
    Shown("odenet", ".live canvas", ".live-bar .first"),
    Shown("architectures", ".results table", ".live-bar .first"),
    Shown("architectures", ".results table", ".live-bar .first"),
    Shown("cnf", ".live canvas", ".live-bar .first"),
]
EACH = pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.path or "home")


@pytest.fixture
def visit(browser: Browser, app: str, settle: Settle) -> Iterator[Visit]:
    """Open a page of the app on a screen of a size."""
    contexts = []

    def go(path: str, width: int, height: int) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        tab = context.new_page()
        tab.goto(f"{app}/{path}")
        expect(tab.get_by_role("heading", level=1)).to_be_visible(timeout=LIMIT)
        settle(tab)
        return tab

    yield go
    for context in contexts:
        context.close()


def box(part: Locator) -> FloatRect:
    expect(part.first).to_be_visible(timeout=LIMIT)
    found = part.first.bounding_box()
    assert found is not None
    return found


def without_steps(tab: Page, picture: FloatRect) -> FloatRect:
    """The picture of a canvas above the steps that it draws, which may be further down."""
    strip = (
        int(tab.locator(".live").first.get_attribute("data-strip") or 0)
        if tab.locator(".live").count()
        else 0
    )
    return {**picture, "height": picture["height"] - strip}


def inside(part: FloatRect, width: int, height: int) -> bool:
    right, bottom = part["x"] + part["width"], part["y"] + part["height"]
    return min(part["x"], part["y"]) >= 0 and right <= width + 1 and bottom <= height + 1


def comes_inside(part: Locator, width: int, height: int) -> bool:
    """Whether it is there within a while: a page that still comes together moves it."""
    for _ in range(100):
        if inside(box(part), width, height):
            return True
        part.page.wait_for_timeout(200)
    return False


def clipped(tab: Page) -> list[str]:
    """Names of chosen methods, and values of select boxes, that their place cuts off."""
    found: list[str] = tab.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMultiSelect] [title], .stSelectbox input')]
        .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.title || e.value)"""
    )
    return found


@EACH
def test_a_projector_shows_the_picture_and_its_play_button_at_once(shown: Shown, visit: Visit) -> None:
    tab = visit(shown.path, 1024, 768)
    assert comes_inside(tab.locator(shown.picture), 1024, 768)
    if shown.play:
        assert comes_inside(tab.locator(shown.play), 1024, 768)
    assert not clipped(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1024


@EACH
def test_at_200_percent_the_picture_and_its_play_button_fit_together(shown: Shown, visit: Visit) -> None:
    tab = visit(shown.path, 700, 450)
    picture, play = tab.locator(shown.picture), tab.locator(shown.play or shown.picture)
    upper = min(box(picture)["y"], box(play)["y"])
    header = box(tab.get_by_test_id("stHeader"))["height"]
    tab.get_by_test_id("stMain").evaluate("(main, by) => main.scrollBy(0, by)", max(0, upper - header))
    tab.wait_for_timeout(300)
    seen = without_steps(tab, box(picture))
    assert inside(seen, 700, 450)
    assert comes_inside(play, 700, 450)
    assert seen["height"] >= 140
    assert not clipped(tab)


@EACH
def test_a_telephone_shows_the_picture_before_the_controls(shown: Shown, visit: Visit) -> None:
    tab = visit(shown.path, 390, 844)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    picture = box(tab.locator(shown.picture))
    assert picture["y"] < 500
    if shown.path in ("solvers", "adjoint"):
        assert picture["y"] + picture["height"] < box(tab.locator(".stSelectbox"))["y"]
    assert not clipped(tab)


@EACH
def test_a_formula_scrolls_in_its_own_place_on_a_telephone(shown: Shown, visit: Visit) -> None:
    tab = visit(shown.path, 390, 844)
    shown_formulas = tab.locator(".stMarkdown .katex-display")
    expect(shown_formulas.first).to_be_visible(timeout=LIMIT)
    formulas: list[list[float]] = shown_formulas.evaluate_all(
        """all => all.filter(e => e.offsetParent).map(e => {
        e.scrollLeft = 1e4;
        const end = e.querySelector('.katex-html').getBoundingClientRect().right;
        return [e.getBoundingClientRect().right, end]; })"""
    )
    assert formulas
    for place, end_when_scrolled in formulas:
        assert place <= 390
        assert end_when_scrolled <= place + 1  # its end can be brought into sight
