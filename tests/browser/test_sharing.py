"""A lecturer shares, and students open: each has a run of their own that begins where the lecturer's stood."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.test_live_mechanism import iteration, wait_for
from tests.browser.test_whose_run import another

PATIENCE = 120_000  # ms: two busy cores draw two or three canvases


def share(page: Page, what: str) -> None:
    """Open the panel, and choose what is shared."""
    if (
        not page.get_by_role("radio", name=what)
        .or_(page.get_by_role("button", name=what, exact=True))
        .count()
    ):
        page.get_by_role("button", name="Share", exact=False).first.click()
    page.get_by_text(what, exact=True).click()


def open_lesson(app: str, page: Page) -> None:
    """A page whose first picture came with the project, with a setting that is not the usual one."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{app}/odenet")
    wait_for(page, "d.iteration === '300' && d.status === 'paused'")
    page.get_by_role("slider", name="Learning rate").press("ArrowRight")
    expect(page).to_have_url(f"{app}/odenet?lr=0.02", timeout=PATIENCE)


def address(page: Page, label: str) -> str:
    field = page.get_by_label(label, exact=True)
    expect(field).to_be_visible(timeout=PATIENCE)
    return field.input_value()


def test_a_link_with_the_net_begins_a_run_of_ones_own_where_the_lecturers_stood(
    app: str, page: Page, browser: Browser
) -> None:
    open_lesson(app, page)
    page.get_by_role("button", name="Step", exact=True).click()
    wait_for(page, "d.iteration === '301'")
    share(page, "As it is set")
    assert address(page, "this page as it is set") == page.url
    share(page, "With the net")
    page.get_by_role("button", name="Make a link with the net as it is now").click()
    link = address(page, "the net")
    assert re.fullmatch(rf"{app}/odenet\?lr=0\.02&net=[0-9a-z]{{14}}", link)
    expect(page.get_by_text("as it was at iteration 301")).to_be_visible(timeout=PATIENCE)
    with another(browser) as context:
        student = context.new_page()
        student.goto(link)
        wait_for(student, "d.iteration === '301' && d.status === 'paused'")
        expect(student).to_have_url(f"{app}/odenet?lr=0.02", timeout=PATIENCE)
        expect(student.get_by_text("Your run begins where the net of this link stood.")).to_be_visible(
            timeout=PATIENCE
        )
        student.get_by_role("button", name="Step", exact=True).click()
        wait_for(student, "d.iteration === '302'")
        assert iteration(page) == 301
        student.goto(link)  # into a tab that has something to lose
        student.get_by_role("button", name="Keep my run").click(timeout=PATIENCE)
        wait_for(student, "d.iteration === '302'")
        student.get_by_role("button", name="Reset", exact=True).click()
        wait_for(student, "d.iteration === '301'")
        student.goto(f"{app}/odenet?lr=0.02&net={'2' * 14}")
        expect(student.get_by_text("The net of this link is not here any more.")).to_be_visible(
            timeout=PATIENCE
        )
        expect(student).to_have_url(f"{app}/odenet?lr=0.02", timeout=PATIENCE)


def test_watchers_see_the_lecturers_run_and_view_and_touch_nothing(
    app: str, page: Page, browser: Browser
) -> None:
    open_lesson(app, page)
    share(page, "Watch me")
    page.get_by_role("button", name="Let others watch").click()
    link = address(page, "what others watch")
    with another(browser) as context:
        student = context.new_page()
        student.goto(link)
        wait_for(student, "d.iteration === '300'")
        expect(
            student.get_by_text("You watch, live; only who shows it can change it. Set: lr = 0.02.")
        ).to_be_visible()
        expect(page.get_by_text("Others may watch this tab: 1 does now.")).to_be_visible(timeout=PATIENCE)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Step", exact=True).click()
        wait_for(student, "d.iteration === '301'")
        page.get_by_role("button", name="Time", exact=True).click()
        pressed = student.get_by_role("button", name="Time", exact=True, pressed=True)
        expect(pressed).to_be_visible(timeout=PATIENCE)
        for key in ("ArrowRight", "Space", "r"):
            student.keyboard.press(key)
        page.get_by_role("slider", name="Learning rate").press("ArrowRight")
        expect(student.get_by_text("Set: lr = 0.05.")).to_be_visible(
            timeout=PATIENCE
        )  # and so the keys have come
        wait_for(page, "d.iteration === '301' && d.status === 'paused'")
        page.get_by_role("button", name="Stop sharing").first.click()
        expect(student.get_by_text("Who showed this to you has stopped sharing it.")).to_be_visible(
            timeout=PATIENCE
        )
        student.goto(link[:-3])
        expect(student.get_by_text("This link is not whole: copy all of it.")).to_be_visible(timeout=PATIENCE)
