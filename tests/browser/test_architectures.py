"""The Architectures lesson in a real browser: the table fills by itself, a row is stopped, reload finds the runs."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

PATIENCE = 180_000


def open_page(page: Page, address: str, query: str) -> None:
    page.goto(f"{address}/architectures{query}")
    expect(page.locator(".results tbody tr").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible(timeout=PATIENCE)


def row(page: Page, model: str) -> Locator:
    return page.locator(f".results tr[data-model={model}]")


def play(page: Page) -> None:
    page.get_by_role("button", name="Play", exact=True).click()


def test_play_fills_the_table_and_reload_finds_it(
    app: str, page: Page, shot: Callable[[Page, str], Path]
) -> None:
    open_page(page, app, "?nets=1-layer+MLP&nets=No+block&nets=ODE-Net&epochs=5")
    assert row(page, "odenet").get_attribute("data-status") == "waiting"
    play(page)
    for model in ("mlp", "none", "odenet"):
        expect(row(page, model)).to_have_attribute("data-status", "finished", timeout=PATIENCE)
        expect(row(page, model).locator("td").nth(1)).to_contain_text("%")
    error = row(page, "odenet").locator("td").nth(1).inner_text()
    shot(page, "architectures")
    page.reload()
    expect(row(page, "odenet")).to_have_attribute("data-status", "finished", timeout=PATIENCE)
    assert row(page, "odenet").locator("td").nth(1).inner_text() == error
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="Download the table").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["model", "1-layer MLP", "No block", "ODE-Net"]


def test_one_row_is_stopped_and_goes_on_while_the_others_train(app: str, page: Page) -> None:
    open_page(page, app, "?nets=No+block&nets=ODE-Net")
    play(page)
    expect(row(page, "odenet")).to_have_attribute("data-status", "running", timeout=PATIENCE)
    page.get_by_role("button", name="Stop ODE-Net").click()
    expect(row(page, "odenet")).to_have_attribute("data-status", "paused", timeout=PATIENCE)
    expect(row(page, "none")).to_have_attribute("data-status", "finished", timeout=PATIENCE)
    assert row(page, "odenet").get_attribute("data-status") == "paused"
    page.get_by_role("button", name="Go on with ODE-Net").click()
    expect(row(page, "odenet")).to_have_attribute("data-status", "finished", timeout=PATIENCE)


def test_two_tabs_have_runs_of_their_own(app: str, page: Page) -> None:
    query = "?nets=No+block&epochs=5"
    open_page(page, app, query)
    other = page.context.new_page()
    open_page(other, app, query)
    play(page)
    expect(row(page, "none")).to_have_attribute("data-status", "finished", timeout=PATIENCE)
    assert row(other, "none").get_attribute("data-status") == "waiting"
    other.close()


def test_a_digit_is_drawn_and_every_trained_net_answers(app: str, page: Page) -> None:
    open_page(page, app, "?nets=1-layer+MLP&nets=No+block&study=Draw+a+digit")
    play(page)
    for model in ("mlp", "none"):
        expect(row(page, model)).to_have_attribute("data-status", "finished", timeout=PATIENCE)
    pad = page.locator(".pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    for k, (x, y) in enumerate([(0.5, 0.15), (0.5, 0.5), (0.5, 0.85)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        if k == 0:
            page.mouse.down()
    page.mouse.up()
    page.get_by_role("button", name="Ask the nets").click()
    expect(page.get_by_role("cell", name="No block")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".stPlotlyChart")).to_have_count(3, timeout=PATIENCE)
