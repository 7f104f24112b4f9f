"""The first page in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from pages.ui.lessons import LESSONS, Lesson

PICTURE = "The same field crossed in three Euler steps, in ten, and by its exact flow"


def test_the_first_page_welcomes_with_its_picture_and_a_card_for_each_lesson(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    page.goto(app)
    expect(page.get_by_role("heading", name="Neural ODEs that show their work")).to_be_visible()
    settle(page)
    picture = page.get_by_alt_text(PICTURE)
    expect(picture).to_be_visible()
    assert picture.evaluate("e => e.complete && e.naturalWidth > 0 && e.getBoundingClientRect().width > 600")
    for lesson in LESSONS:
        card = page.locator('[data-testid="stPageLink"]').filter(has_text=lesson.title)
        expect(card).to_be_visible()


@pytest.mark.parametrize(("scheme", "colour"), [("light", "#1b1b2f"), ("dark", "#e9e9f4")])
def test_the_picture_is_drawn_in_the_text_colour_of_the_theme(
    scheme: Literal["light", "dark"],
    colour: str,
    app: str,
    page: Page,
    settle: Callable[[Page], None],
    shot: Callable[[Page, str], Path],
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(app)
    settle(page)
    text = page.locator("h1").evaluate("e => getComputedStyle(e).color")
    assert text == f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"
    drawn = page.get_by_alt_text(PICTURE).evaluate("async e => (await fetch(e.src)).text()")
    assert f'fill="{colour}"' in drawn
    shot(page, f"home_{scheme}")


def test_the_folded_code_opens(app: str, page: Page, settle: Callable[[Page], None]) -> None:
    page.goto(app)
    settle(page)
    page.get_by_text("Show the code").click()
    expect(page.locator('[data-testid="stCode"]')).to_contain_text("from node_core import odeint")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_a_card_leads_to_its_lesson(
    lesson: Lesson, app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    page.goto(app)
    settle(page)
    page.locator('[data-testid="stPageLink"]').filter(has_text=lesson.title).click()
    page.wait_for_url(f"**/{Path(lesson.path).stem}*")
    settle(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_a_deep_link_opens_its_lesson_and_not_the_first_page(
    lesson: Lesson, app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    page.goto(f"{app}/{Path(lesson.path).stem}")
    settle(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name="Neural ODEs that show their work")).to_have_count(0)


def test_each_lesson_leads_to_the_next_one(app: str, page: Page, settle: Callable[[Page], None]) -> None:
    first, second = LESSONS[:2]
    page.goto(f"{app}/{Path(first.path).stem}")
    settle(page)
    expect(page.get_by_text(first.question)).to_be_visible()
    page.locator(".st-key-neighbours").get_by_text(second.title).click()
    page.wait_for_url(f"**/{Path(second.path).stem}*")
    expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
    back = page.locator(".st-key-neighbours").get_by_text(first.title)
    expect(back).to_be_visible(timeout=60_000)
