"""Time series in a real browser: the canvas follows its run, and a click on an observation changes the curve."""

from playwright.sync_api import Page, expect

PATIENCE = 90_000  # ms
FREE = (110, 30)  # pixels in the canvas, over all observations of the first panel: the axes leave room there

FIND = """
  const find = root => { for (const n of root.querySelectorAll('*')) {
    if (n.matches('.live')) return n;
    if (n.shadowRoot) { const f = find(n.shadowRoot); if (f) return f; } } return null; };
  const live = find(document);
"""


def wait_for(page: Page, condition: str) -> None:
    """Wait until a JavaScript condition on the view's data set `d` holds."""
    page.wait_for_function(
        f"() => {{ {FIND} return live && (d => {condition})(live.dataset); }}", timeout=PATIENCE
    )


def test_an_added_observation_changes_the_curve_and_can_be_undone(page: Page, app: str) -> None:
    page.goto(f"{app}/series?observations=6")
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused' && d.observed === '6' && d.edited === '0'")
    view = page.locator(".live")
    before = view.get_attribute("data-curve")
    expect(view.get_by_role("button", name="Undo changes")).to_be_disabled()
    view.locator("canvas").click(position={"x": FREE[0], "y": FREE[1]})
    wait_for(page, f"d.observed === '7' && d.edited > 0 && d.curve !== '{before}'")
    changed = view.get_attribute("data-curve")
    expect(view.get_by_role("button", name="Undo changes")).to_be_enabled()
    view.get_by_role("button", name="Undo changes").click()
    wait_for(page, f"d.observed === '6' && d.edited === '0' && d.curve === '{before}'")
    assert changed != before


def test_the_curve_moves_while_the_run_plays(page: Page, app: str) -> None:
    page.goto(f"{app}/series?data=Hares+and+lynxes&start=From+scratch")
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused' && d.iteration === '0'")
    view = page.locator(".live")
    before = view.get_attribute("data-curve")
    page.get_by_role("button", name="Step", exact=True).click()
    wait_for(page, f"d.iteration === '1' && d.curve !== '{before}'")
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, "d.status === 'running' && Number(d.iteration) > 5")
    page.get_by_role("button", name="Pause", exact=True).click()
    wait_for(page, "d.status === 'paused'")
