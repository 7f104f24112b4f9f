"""What a screen reader says of the pages: words, and one name for each thing."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pages.ui.lessons import LESSONS

LIMIT = 90_000
PAGES = ["", *(lesson.path.removeprefix("pages/").removesuffix(".py") for lesson in LESSONS)]
OPERATED = "button|slider|combobox|spinbutton|textbox|switch|checkbox|radio|tab|link"


@pytest.mark.parametrize("path", [*PAGES, "solvers?system=Lotka-Volterra", "adjoint?field=Linear+spiral"])
def test_everything_that_is_operated_has_a_name_in_words(
    path: str, page: Page, app: str, settle: Callable[[Page], None]
) -> None:
    page.goto(f"{app}/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=LIMIT)
    # What stands below a picture comes after it, in a run of its own.
    expect(page.get_by_role("main").get_by_role("link").or_(page.get_by_role("button")).nth(5)).to_be_visible(
        timeout=LIMIT
    )
    page.wait_for_timeout(1000)
    settle(page)
    operated = re.findall(rf"- '?(?:{OPERATED})\b(.*)", page.get_by_role("main").aria_snapshot())
    assert len(operated) > 5
    for line in operated:
        named = re.match(r' "((?:[^"\\]|\\.)+)"', line)
        assert named, f"nameless: {line}"
        assert not set(named[1]) & set("$\\{}▶❚"), line


@pytest.mark.parametrize("path", ["resnets", "odenet"])
def test_canvases_tell_whose_picture_they_are(
    path: str, page: Page, app: str, settle: Callable[[Page], None]
) -> None:
    page.goto(f"{app}/{path}")
    canvases = page.locator(".live canvas")
    expect(canvases.first).to_be_visible(timeout=LIMIT)
    expect(canvases.first).to_have_attribute("aria-label", re.compile("Live picture of Two"), timeout=LIMIT)
    settle(page)
    names = [canvas.get_attribute("aria-label") for canvas in canvases.all()]
    assert len(set(names)) == len(names)


def test_the_time_of_a_player_is_told_in_its_own_unit(
    page: Page, app: str, settle: Callable[[Page], None]
) -> None:
    page.goto(f"{app}/solvers")
    time = page.get_by_role("slider", name="time of the replay")
    expect(time).to_have_attribute("aria-valuetext", "t = 15", timeout=LIMIT)
    time.fill("500")
    expect(time).to_have_attribute("aria-valuetext", "t = 7.5")
