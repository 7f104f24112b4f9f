"""A server that has lost a run gets it back from the tab that kept it: after a restart, and where room was needed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import free_port, serve
from tests.browser.test_live_mechanism import PATIENCE, iteration, open_demo, wait_for
from tests.browser.test_whose_run import COPY, PASTE, another, play

DEMO = "tests/ui/live/demo_app.py"
RESTARTED = "The server has lost your run, as when it is started anew"
GIVEN_UP = "While nobody watched, your run had to make room for others on this server"


@contextmanager
def tab_in(browser: Browser) -> Iterator[Page]:
    """A tab of its own whose console may say that the server was away, but whose scripts must not fail."""
    faults: list[str] = []
    with another(browser) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        assert not page.locator(".stException").all_inner_texts()
    assert not faults


def kept(page: Page) -> list[Any]:
    """The iterations to which the tab keeps its runs; the newest is the last."""
    return list(page.evaluate("[...window.keptRuns.values()].map((run) => run.iteration)"))


def until_kept(page: Page) -> int:
    """Wait until the tab keeps what it shows; the iteration."""
    for _ in range(PATIENCE // 100):
        if kept(page)[-1:] == [iteration(page)]:
            return iteration(page)
        page.wait_for_timeout(100)
    raise AssertionError(f"kept {kept(page)}, shown {iteration(page)}")


def train(page: Page) -> int:
    """Train a little; the iteration to which the tab has kept it. By steps, so that no chunk is on its way after."""
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused'")
    for at in range(iteration(page) + 1, iteration(page) + 4):
        page.get_by_role("button", name="Step", exact=True).click()
        wait_for(page, f"d.iteration === '{at}'")
    return until_kept(page)


def loss_of(page: Page) -> str:
    # The numbers beside the picture follow it after a moment.
    shown = re.compile(rf"iteration {iteration(page)}(?!\d)")
    expect(page.locator(".live .numbers")).to_contain_text(shown, timeout=PATIENCE)
    found = re.search(r"loss\s*([\d.e+-]+)", page.locator(".live .numbers").inner_text())
    assert found
    return found[1]


def returned(page: Page, at: int, reason: str = RESTARTED) -> None:
    """The page shows its run again, and says what happened."""
    wait_for(page, f"d.snapshots >= 1 && d.iteration === '{at}' && d.status === 'paused'")
    said = page.get_by_text(f"{reason}: your net was taken from this tab, at iteration {at:,}.")
    expect(said).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def copy_of(page: Page, context: BrowserContext, storage: str) -> Page:
    """A duplicate of a tab, with the memory that the original had then."""
    twin = context.new_page()
    twin.add_init_script(f"if (!sessionStorage.length) {{ {PASTE.format(repr(storage))} }}")
    twin.goto(page.url)
    return twin


@pytest.mark.parametrize("lesson", ["odenet?width=24&lr=0.02", "cnf?target=Pinwheel"])
def test_a_server_that_is_started_anew_gets_the_trained_net_back_from_its_tab_alone(
    browser: Browser, chromium_path: str, tmp_path: Path, lesson: str
) -> None:
    port = free_port()
    with tab_in(browser) as page:
        with serve("app.py", tmp_path / "first.txt", port=port) as app:
            page.goto(f"{app}/{lesson}")
            wait_for(page, "d.snapshots >= 1")
            begun = iteration(page)
            at, loss = train(page), loss_of(page)
            storage = page.evaluate(COPY)
        with serve("app.py", tmp_path / "second.txt", port=port):
            returned(page, at)
            assert loss_of(page) == loss
            twin = copy_of(page, page.context, storage)
            wait_for(twin, f"d.snapshots >= 1 && d.iteration === '{begun}' && d.status === 'paused'")
            twin.close()
            page.get_by_role("button", name="Reset", exact=True).click()
            wait_for(page, f"d.iteration === '{begun}' && d.status === 'paused'")
            expect(page.get_by_text("your net was taken")).to_have_count(0, timeout=PATIENCE)
            page.reload()
            wait_for(page, f"d.iteration === '{begun}' && d.status === 'paused'")
            expect(page.get_by_text("your net was taken")).to_have_count(0)
            assert kept(page) == []


def test_a_run_that_played_plays_on_and_one_that_waits_is_found_again_by_its_settings(
    browser: Browser, chromium_path: str, tmp_path: Path
) -> None:
    port = free_port()
    with tab_in(browser) as page, tab_in(browser) as other:
        with serve("app.py", tmp_path / "first.txt", port=port) as app:
            for tab in (page, other):
                tab.goto(f"{app}/odenet?width=16")
            waits = train(other)
            other.get_by_test_id("stSidebarNavLink").filter(has_text="Solvers").click()
            expect(other.locator("h1")).to_have_text("Solvers", timeout=PATIENCE)
            wait_for(page, "d.snapshots >= 1")
            at = play(page, beyond=5)
            page.wait_for_function("window.keptRuns.size === 1", timeout=PATIENCE)
            least = kept(page)[-1]
        page.goto("about:blank")  # as who reloads while the server is away
        with serve("app.py", tmp_path / "second.txt", port=port):
            page.go_back()
            wait_for(page, f"d.iteration > {max(at, least)} && d.status === 'running'")
            expect(page.get_by_text(f"{RESTARTED}: your net was taken")).to_be_visible(timeout=PATIENCE)
            # The new server does not know the settings of the page that the other tab had left.
            other.get_by_test_id("stSidebarNavLink").filter(has_text="ODE-Net").click()
            expect(other.locator(".live .way")).to_contain_text(
                f"trained to iteration {waits} with other settings", timeout=PATIENCE
            )
            other.get_by_role("button", name="Go on with it").click()
            returned(other, waits)
            expect(other).to_have_url(re.compile("width=16"))


def test_points_of_a_file_come_back_with_the_net(
    browser: Browser, chromium_path: str, tmp_path: Path
) -> None:
    port = free_port()
    rows = "".join(f"{k % 7},{k % 5},{k % 2}\n" for k in range(60))
    with tab_in(browser) as page:
        with serve("app.py", tmp_path / "first.txt", port=port) as app:
            page.goto(f"{app}/odenet?data=Your+CSV+file")
            page.locator("input[type=file]").first.set_input_files(
                {"name": "mine.csv", "mimeType": "text/csv", "buffer": f"x,y,label\n{rows}".encode()}
            )
            wait_for(page, "d.snapshots >= 1 && d.iteration === '0'")
            at, loss = train(page), loss_of(page)
        with serve("app.py", tmp_path / "second.txt", port=port):
            returned(page, at)
            assert loss_of(page) == loss
            page.get_by_role("button", name="Step", exact=True).click()
            wait_for(page, f"d.iteration === '{at + 1}'")


def test_a_run_that_made_room_for_others_comes_back_from_its_tab(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    at = train(page)
    page.get_by_role("button", name="Lose it").click()
    returned(page, at, GIVEN_UP)


@pytest.mark.parametrize("damage", ["run.file = run.file.slice(0, -1)", "run.file = new Uint8Array(900)"])
def test_a_damaged_file_is_refused_in_a_sentence_and_the_run_is_new(
    live_demo: str, page: Page, damage: str
) -> None:
    open_demo(page, live_demo)
    train(page)
    page.evaluate(f"for (const run of window.keptRuns.values()) {damage}")
    page.get_by_role("button", name="Lose it").click()
    refused = "What this tab has kept was refused: .* That begins anew."
    said = page.get_by_text(re.compile(f"{GIVEN_UP}. {refused}"))
    expect(said).to_be_visible(timeout=PATIENCE)
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused' && d.iteration === '0'")
    train(page)


def test_a_run_that_its_owner_begins_anew_is_kept_no_more(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    train(page)
    page.get_by_text("jumps").click()  # another net
    wait_for(page, "d.snapshots >= 1 && d.iteration === '0'")
    page.wait_for_function("window.keptRuns.size === 0", timeout=PATIENCE)
    page.get_by_role("button", name="Lose it").click()
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused' && d.iteration === '0'")
    expect(page.get_by_text("your net was taken")).to_have_count(0)


def test_a_tab_keeps_its_run_over_a_reload_and_leaves_no_copy_while_it_lives(
    live_demo: str, page: Page
) -> None:
    open_demo(page, live_demo)
    at = train(page)
    page.reload()
    wait_for(page, f"d.iteration === '{at}'")
    assert kept(page) == [at]
    assert "file" not in page.evaluate(COPY)


def test_a_run_that_cannot_be_kept_is_missed_in_a_sentence(live_demo: str, page: Page) -> None:
    open_demo(page, f"{live_demo}/?dim=3")
    page.get_by_role("button", name="Step", exact=True).click()
    wait_for(page, "d.iteration === '1'")
    page.wait_for_function("[...window.keptRuns.values()].some((run) => run.unkept)", timeout=PATIENCE)
    page.reload()
    wait_for(page, "d.iteration === '1'")
    page.get_by_role("button", name="Lose it").click()
    wait_for(page, "d.snapshots >= 1 && d.iteration === '0'")
    said = "this tab could not keep it: Three dimensions are too many to be kept."
    expect(page.locator(".live .way")).to_contain_text(said, timeout=PATIENCE)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(".live .way")).to_be_empty(timeout=PATIENCE)


def test_a_page_that_is_connected_later_than_its_canvas_gets_a_run_all_the_same(
    browser: Browser, chromium_path: str, tmp_path: Path
) -> None:
    port = free_port()
    with tab_in(browser) as page:
        page.add_init_script(
            "window.WebSocket = class extends WebSocket { constructor(url, ...rest) {"
            " super(window.held && /_stcore/.test(url) ? 'ws://127.0.0.1:9' : url, ...rest); } };"
        )
        with serve(DEMO, tmp_path / "first.txt", port=port) as demo:
            open_demo(page, demo)
            at = train(page)
            page.evaluate("window.held = true")
        with serve(DEMO, tmp_path / "second.txt", port=port):
            expect(page.locator(".live .note")).to_contain_text("does not have this run", timeout=PATIENCE)
            page.evaluate("window.held = false")
            returned(page, at)
