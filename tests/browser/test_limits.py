"""Limits in a real browser: a remedy is a click away, stays in the address, and is there again after a reload."""

import re

from playwright.sync_api import Page, expect

PATIENCE = 90_000


def test_a_remedy_is_shown_at_a_click_and_lasts(app: str, page: Page) -> None:
    page.goto(f"{app}/limits")
    expect(page.get_by_role("heading", name="6. The solver is part of the model")).to_be_visible(
        timeout=PATIENCE
    )
    expect(page.locator(".live-chart .main-svg").first).to_be_visible(timeout=PATIENCE)
    page.get_by_text("implicit beside", exact=True).click(timeout=PATIENCE)
    told = page.get_by_text(re.compile(r"Rodas5P takes \d+ steps"))
    expect(told).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("way=implicit"), timeout=PATIENCE)
    page.reload()
    expect(told).to_be_visible(timeout=PATIENCE)
