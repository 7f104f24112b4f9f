"""The picture that stands before Streamlit has begun: it is there, in its place, right, and goes in time."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

PAGES = ["", "resnets", "solvers", "adjoint", "odenet", "cnf", "control"]
NEAR = 24  # px sideways
BELOW = 60  # px
STREAMLIT = re.compile(r"/static/js/index\.")
# The first picture is in closed shadow roots: remember them as they are attached.
REMEMBER = """(() => {
  window.__roots = [];
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (how) {
    const root = attach.call(this, how);
    window.__roots.push(root);
    return root;
  };
})()"""
FIRST = "#first-picture"
# Boxes of the drawn pictures: those of before, and the page's own.
BOXES = """() => {
  const what = '.live, .race, .adjoint, svg[viewBox="0 0 960 312"]';
  const before = document.querySelector('#first-picture');
  const inside = (node) => {
    for (let root = node.getRootNode(); root instanceof ShadowRoot; root = root.host.getRootNode())
      if (root.host === before) return true;
    return false;
  };
  const found = { first: [], page: [] };
  for (const root of window.__roots.filter((root) => root.isConnected))
    for (const node of root.querySelectorAll(what)) {
      const { x, y, width } = node.getBoundingClientRect();
      found[inside(node) ? 'first' : 'page'].push([x, y, width]);
    }
  for (const node of document.querySelectorAll('[data-testid="stImage"] img')) {
    const { x, y, width } = node.getBoundingClientRect();
    found.page.push([x, y, width]);
  }
  return found;
}"""
# The fewest colours in the middle row of a canvas; 0 before there is one.
COLOURS = """() => {
  const canvases = window.__roots.flatMap((root) => [...root.querySelectorAll('canvas')]);
  const colours = canvases.map((canvas) => {
    if (!canvas.width || !canvas.height) return 0;
    const row = canvas.getContext('2d').getImageData(0, canvas.height >> 1, canvas.width, 1).data;
    return new Set(new Uint32Array(row.buffer)).size;
  });
  return colours.length ? Math.min(...colours) : 0;
}"""


SEEN = """(() => {
  window.__first = false;
  const look = () => { window.__first ||= Boolean(document.querySelector('#first-picture')); };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
})()"""


@pytest.fixture
def held(page: Page) -> Any:
    """Lets Streamlit's own script begin only when told."""
    waiting: list[Route] | None = []
    page.add_init_script(REMEMBER)

    def hold(route: Route) -> None:
        if waiting is None:
            route.continue_()
        else:
            waiting.append(route)

    def let_go() -> None:
        nonlocal waiting
        held, waiting = waiting or [], None
        for route in held:
            route.continue_()

    page.route(STREAMLIT, hold)
    return let_go


@pytest.mark.parametrize("name", PAGES)
def test_it_is_drawn_where_the_page_will_draw_it(page: Page, app: str, held: Any, name: str) -> None:
    page.goto(f"{app}/{name}", wait_until="commit")
    expect(page.locator(FIRST)).to_be_attached(timeout=30_000)
    if name:
        page.wait_for_function(f"() => ({COLOURS})() > 3", timeout=30_000)
    first = page.evaluate(BOXES)["first"]
    assert first
    held()
    expect(page.locator(FIRST)).not_to_be_attached(timeout=60_000)
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_function(f"() => ({BOXES})().page.length >= {len(first)}", timeout=30_000)
    own = page.evaluate(BOXES)["page"]
    for before, after in zip(first, own, strict=False):
        told = f"{name}: drawn at {before}, then at {after}: see pages/ui/{name or 'home'}/first_picture.py"
        assert abs(before[0] - after[0]) < NEAR, told
        assert abs(before[2] - after[2]) < NEAR, told
        assert abs(before[1] - after[1]) < BELOW, told


def test_no_other_address_shows_it(page: Page, app: str) -> None:
    page.add_init_script(SEEN)
    page.goto(f"{app}/solvers?rtol=0.001")
    expect(page.locator(".race")).to_be_visible(timeout=60_000)
    assert not page.evaluate("() => window.__first")
    page.goto(f"{app}/odenet")
    expect(page.locator(".live[data-snapshots]")).to_be_visible(timeout=60_000)
    assert page.evaluate("() => window.__first")
    page.reload()  # a run of this tab's own may have gone on meanwhile
    expect(page.locator(".live[data-snapshots]")).to_be_visible(timeout=60_000)
    assert not page.evaluate("() => window.__first")


def test_without_its_script_the_page_begins_all_the_same(page: Page, app: str) -> None:
    page.route(
        "**/first-picture/**",
        lambda route: route.fulfill(status=200, body="", content_type="text/javascript"),
    )
    page.goto(f"{app}/solvers")
    expect(page.locator(".race")).to_be_visible(timeout=60_000)


def test_its_links_lead_on_before_the_page_is_there(page: Page, app: str, held: Any) -> None:
    page.goto(f"{app}/solvers", wait_until="commit")
    page.wait_for_function(f"() => ({COLOURS})() > 3", timeout=30_000)
    hrefs = page.evaluate(
        "() => window.__roots.flatMap((root) => [...root.querySelectorAll('nav a')]).map((a) => a.href)"
    )
    assert f"{app}/adjoint" in hrefs
    assert f"{app}/" in hrefs
