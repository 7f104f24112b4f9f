"""A live run in a real browser: drawn while it computes, commanded by buttons and keys, found again after F5."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, WebSocketRoute, expect

PATIENCE = 60_000  # ms


def data(page: Page, name: str) -> str:
    return page.locator(".live").evaluate("(element, name) => element.dataset[name] ?? ''", name)


def iteration(page: Page) -> int:
    return int(data(page, "iteration") or -1)


def wait_for(page: Page, condition: str) -> None:
    """Wait until a JavaScript condition on the canvas's data set `d` holds."""
    page.wait_for_function(
        "condition => { const e = document.querySelector('.live') ?? find(document);"
        " function find(root) { for (const n of root.querySelectorAll('*')) if (n.shadowRoot) {"
        " const f = n.shadowRoot.querySelector('.live') ?? find(n.shadowRoot); if (f) return f; } return null; }"
        " return e && new Function('d', 'return ' + condition)(e.dataset); }",
        arg=condition,
        timeout=PATIENCE,
    )


def open_demo(page: Page, address: str) -> None:
    page.goto(address)
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused'")


def colours(page: Page) -> int:
    """How many different colours the canvas shows: a blank one has one."""
    return page.locator(".live canvas").evaluate(
        """canvas => { const { width, height } = canvas;
        const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
        const seen = new Set();
        for (let i = 0; i < pixels.length; i += 404) seen.add(pixels.slice(i, i + 4).join());
        return seen.size; }"""
    )


def test_the_first_picture_is_there_before_anything_is_pressed(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    assert iteration(page) == 0
    page.wait_for_timeout(200)
    assert colours(page) > 20


def test_play_trains_and_pause_stops(live_demo: str, page: Page, settle: Callable[[Page], None]) -> None:
    open_demo(page, live_demo)
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.iteration > 20 && d.snapshots > 5")
    page.get_by_role("button", name="Pause").click()
    wait_for(page, "d.status === 'paused'")
    settle(page)
    page.wait_for_timeout(500)  # the chunk in flight arrives
    at = iteration(page)
    page.wait_for_timeout(1000)
    assert iteration(page) == at


def test_the_keyboard_plays_steps_and_resets_and_the_buttons_follow(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    page.keyboard.press("ArrowRight")
    wait_for(page, "d.iteration === '1'")
    page.keyboard.press("ArrowRight")
    wait_for(page, "d.iteration === '2'")
    page.keyboard.press("Space")
    wait_for(page, "d.status === 'running' && d.iteration > 5")
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("r")
    wait_for(page, "d.status === 'paused' && d.iteration === '0'")
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=PATIENCE)


def test_a_button_is_answered_over_the_socket_without_a_rerun_of_the_page(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    sent: list[str | bytes] = []
    page.reload()
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused'")
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
    page.reload()
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused'")
    page.wait_for_timeout(500)
    sent.clear()
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible(timeout=PATIENCE)
    assert '{"command":"play"}' in sent
    wait_for(page, "d.iteration > 5")
    page.get_by_role("button", name="Step", exact=True).click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible(timeout=PATIENCE)
    assert '{"command":"step"}' in sent
    assert all(isinstance(data, str) for data in sent), "the page itself was asked (its messages are binary)"


def test_the_buttons_still_work_where_no_socket_is_let_through(live_demo: str, page: Page) -> None:
    page.route_web_socket(re.compile("/live/"), lambda socket: socket.close())
    page.goto(live_demo)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_text("status running")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("status paused")).to_be_visible(timeout=PATIENCE)


def test_reload_finds_the_same_run_still_going(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.iteration > 20")
    before = iteration(page)
    assert "run" not in page.url
    page.reload()
    wait_for(page, f"d.iteration > {before} && d.status === 'running'")


def test_a_live_change_goes_on_and_another_begins_again(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.iteration > 30")
    canvas = page.locator(".live canvas").element_handle()
    page.get_by_role("slider", name="Turning").press("ArrowRight")
    expect(page).to_have_url(re.compile("turning=2"), timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert iteration(page) > 30
    page.get_by_text("jumps").click()
    wait_for(page, "d.iteration < 30 && d.status === 'running'")
    assert canvas.evaluate("element => element.isConnected"), "the canvas was mounted again"


def test_a_failure_is_a_sentence_and_a_mended_run_goes_on(live_demo: str, page: Page) -> None:
    page.goto(f"{live_demo}/?turning=13")
    wait_for(page, "d.snapshots >= 1")
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.status === 'failed'")
    alert = page.get_by_role("alert").filter(has_text="take a smaller learning rate")
    expect(alert).to_be_visible(timeout=PATIENCE)
    page.get_by_role("slider", name="Turning").press("ArrowLeft")
    expect(page).to_have_url(re.compile("turning=12"), timeout=PATIENCE)
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.status === 'running' && d.iteration > 5")
    expect(alert).to_have_count(0, timeout=PATIENCE)


def test_pointing_at_a_place_tells_its_value_and_draws_its_path(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    page.locator(".live button:visible", has_text="t").last.click()  # the time stands still
    for layer in ("Flow", "Paths"):
        page.locator(".live button", has_text=layer).click()
    page.wait_for_timeout(600)
    canvas = page.locator(".live canvas")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".live .note")).to_contain_text(re.compile(r"from \(.*\): p = 0\.\d\d"))
    page.wait_for_timeout(200)
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before


def test_the_views_and_layers_draw_different_pictures(live_demo: str, page: Page) -> None:
    page.goto(f"{live_demo}/?dim=3")
    wait_for(page, "d.snapshots >= 1")
    page.locator(".live button:visible", has_text="t").last.click()
    page.locator(".live button", has_text="Flow").click()
    pictures = set()
    for name in ("Plane", "3-D", "Time", "Lattice", "Boundary"):
        page.locator(".live button", has_text=name).click()
        page.wait_for_timeout(600)
        pictures.add(page.locator(".live canvas").evaluate("canvas => canvas.toDataURL()"))
        assert colours(page) > 5
    assert len(pictures) == 5


def test_a_page_that_comes_back_after_the_heartbeat_finds_its_run_going_on(
    live_demo: str, page: Page
) -> None:
    open_demo(page, live_demo)
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.iteration > 10")
    address = page.url
    page.goto("about:blank")
    page.wait_for_timeout(17_000)  # past the heartbeat
    page.goto(address)
    wait_for(page, "d.status === 'running' && d.iteration > 10")
    at = iteration(page)
    wait_for(page, f"d.iteration > {at + 10}")


def test_a_page_whose_picture_is_late_says_that_it_waits(live_demo: str, page: Page) -> None:
    silent: list[bool] = []

    def between(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        server.on_message(lambda message: None if silent else browser.send(message))

    page.route_web_socket(re.compile("/live/"), between)
    open_demo(page, live_demo)
    page.get_by_role("button", name="Play").click()
    wait_for(page, "d.iteration > 5")
    note = page.locator(".live .note")
    expect(note).to_have_text("")
    silent.append(True)
    expect(note).to_contain_text("Waiting for the server", timeout=PATIENCE)
    silent.clear()
    page.reload()
    wait_for(page, "d.snapshots >= 1")
    expect(note).to_have_text("")
