"""Four trainings of one field in a real browser: their pictures are there, and a slider says what they show."""

from playwright.sync_api import Page, expect

PATIENCE = 180_000  # ms
WAYS = 4


def test_four_trained_flows_are_drawn_and_the_slider_turns_their_samples(app: str, page: Page) -> None:
    page.goto(f"{app}/cnf?show=four+trainings&target=Eight+Gaussians")
    views = page.locator("[data-snapshots]")
    expect(views).to_have_count(WAYS, timeout=PATIENCE)  # a view has that only once it has painted a picture
    expect(page.locator('[data-euler="1"]')).to_have_count(WAYS, timeout=PATIENCE)
    expect(page.get_by_text("One Euler step is enough for")).to_be_visible(timeout=PATIENCE)
    page.locator(".st-key-euler").get_by_role("slider").press("End")
    expect(page.locator('[data-euler="32"]')).to_have_count(WAYS, timeout=PATIENCE)
    expect(page.get_by_text("32 Euler steps are enough for")).to_be_visible(timeout=PATIENCE)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(views).to_have_count(WAYS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
