"""The Control page in a real browser: the plant moves, answers a push, and goes where somebody puts it."""

import json
from typing import Any
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Page, expect

PATIENCE = 90_000  # ms

FIND = """
  const find = root => { for (const n of root.querySelectorAll('*')) {
    if (n.matches('.live')) return n;
    if (n.shadowRoot) { const f = find(n.shadowRoot); if (f) return f; } } return null; };
  const live = find(document);
"""


def wait_for(page: Page, condition: str) -> None:
    """Wait until a JavaScript condition on the stage's data set `d` and its state `x` holds."""
    page.wait_for_function(
        f"() => {{ {FIND} return live && ((d, x) => {condition})(live.dataset, (live.dataset.state ?? '').split(' ')"
        ".map(Number)); }",
        timeout=PATIENCE,
    )


def data(page: Page) -> dict[str, Any]:
    found = json.loads(page.locator(".live").evaluate("element => JSON.stringify(element.dataset)"))
    assert isinstance(found, dict)
    return found


def opened(page: Page, app: str, query: str) -> None:
    page.goto(f"{app}/control{query}")
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused' && d.state")


def test_the_plant_moves_answers_a_push_and_lqr_brings_the_pole_back(page: Page, app: str) -> None:
    opened(page, app, "?plant=Cart-pole&driver=lqr&width=8")
    assert data(page)["driver"] == "lqr"
    before = data(page)["state"]
    wait_for(page, f"d.state !== '{before}'")  # nobody has pressed Play: it is the browser that moves it
    wait_for(page, "Math.abs(x[2]) < 0.02 && Math.abs(x[3]) < 0.05")
    stage = page.locator(".live")
    stage.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, "d.pushes === '1'")
    assert data(page)["iteration"] == "0"  # the key was the stage's, and not the trainer's
    wait_for(page, "Math.abs(x[2]) < 0.02 && Math.abs(x[3]) < 0.05")
    expect(stage.get_by_text("upright", exact=False)).to_be_visible()


def test_whoever_drives_stands_in_the_address_and_a_click_in_the_plane_puts_the_plant_there(
    page: Page, app: str
) -> None:
    opened(page, app, "?plant=Lotka-Volterra&width=8")
    stage = page.locator(".live")
    stage.get_by_role("button", name="Nobody").click()
    wait_for(page, "d.driver === 'nobody'")
    page.wait_for_function("() => location.search.includes('driver=nobody')", timeout=PATIENCE)
    assert parse_qs(urlparse(page.url).query)["plant"] == ["Lotka-Volterra"]
    box = stage.locator("canvas").bounding_box()
    assert box is not None
    stage.get_by_role("button", name="Let the plant move or stand still").click()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.45 * box["height"])
    wait_for(page, "d.pushes === '1'")
    wait_for(page, "Math.abs(x[0] - 1.5) < 0.4 && Math.abs(x[1] - 1.6) < 0.5")
