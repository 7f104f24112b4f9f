"""ResNets to ODEs in a real browser: the slider changes the left picture and leaves the right one."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

PATIENCE = 60_000


def snapshots(page: Page, name: str) -> int:
    return int(page.locator(f".st-key-view_{name} .live").get_attribute("data-snapshots") or 0)


def both_drawn(page: Page) -> None:
    for name in ("depth", "limit"):
        expect(page.locator(f".st-key-view_{name} .live")).to_have_attribute(
            "data-snapshots", re.compile("[1-9]"), timeout=PATIENCE
        )


def test_a_drag_of_the_slider_draws_another_resnet(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    page.goto(f"{app}/resnets")
    both_drawn(page)
    settle(page)
    canvas = page.locator(".st-key-view_limit .live canvas").element_handle()
    left, right = snapshots(page, "depth"), snapshots(page, "limit")
    page.get_by_role("slider", name="Layers L").press("ArrowRight")
    expect(page).to_have_url(re.compile("layers=6"), timeout=PATIENCE)
    expect(page.get_by_text("ResNet: 6 jumps", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-view_depth .live")).to_have_attribute(
        "data-snapshots", str(left + 1), timeout=PATIENCE
    )
    assert snapshots(page, "limit") == right
    assert canvas.evaluate("element => element.isConnected"), "the canvas was mounted again"


def test_the_charts_mark_the_depth(app: str, page: Page) -> None:
    page.goto(f"{app}/resnets?layers=64")
    both_drawn(page)
    chart = page.locator(".st-key-error .live-chart")
    expect(chart.locator(".plotly, .main-svg").first).to_be_visible(timeout=PATIENCE)
    assert chart.evaluate("chart => chart.data.at(-1).x") == [64]
