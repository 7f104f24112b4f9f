"""The first page in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pages.ui.lessons import LESSONS, Lesson


def test_the_first_page_welcomes_with_its_picture_and_a_card_for_each_lesson(
    app: str, page: Page, settle: Callable[[Page], None], shot: Callable[[Page, str], Path]
) -> None:
    page.goto(app)
    expect(page.get_by_role("heading", name="Neural ODEs that show their work")).to_be_visible()
    settle(page)
    picture = page.locator('[data-testid="stHtml"] svg')
    expect(picture).to_be_visible()
    assert picture.bounding_box()["width"] > 600  # type: ignore[index]
    for lesson in LESSONS:
        card = page.locator('[data-testid="stPageLink"]').filter(has_text=lesson.title)
        expect(card).to_be_visible()
    assert shot(page, "home").stat().st_size > 10_000


def test_the_picture_takes_its_line_colour_from_the_theme(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(app)
        settle(page)
        text = page.locator('[data-testid="stHtml"] svg text').first
        colours.append(text.evaluate("e => getComputedStyle(e).fill"))
    assert colours == ["rgb(27, 27, 47)", "rgb(233, 233, 244)"]


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
