"""Whose run is it: each tab has runs of its own, finds them again, and reaches nobody else's."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, WebSocketRoute, expect

from tests.browser.test_live_mechanism import PATIENCE, colours, iteration, open_demo, wait_for

COPY = "() => JSON.stringify(Object.entries(sessionStorage))"
PASTE = "for (const [key, value] of JSON.parse({})) sessionStorage.setItem(key, value);"


@contextmanager
def another(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    yield context
    context.close()


def play(page: Page, beyond: int = 20) -> int:
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, f"d.iteration > {beyond} && d.status === 'running'")
    return iteration(page)


def untouched(page: Page) -> None:
    """The page shows a run that nobody has played."""
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused' && d.iteration === '0'")


def test_the_same_address_elsewhere_is_a_run_of_its_own_from_the_same_settings(
    live_demo: str, page: Page, browser: Browser
) -> None:
    page.goto(f"{live_demo}/?turning=3")
    at = play(page)
    with another(browser) as context:
        other = context.new_page()
        other.goto(page.url)
        untouched(other)
        expect(other.get_by_role("slider", name="Turning")).to_have_value("3")
        other.get_by_role("slider", name="Turning").press("ArrowRight")
        other.get_by_text("jumps").click()
        play(other)
        other.get_by_role("button", name="Reset", exact=True).click()
        untouched(other)
        wait_for(page, f"d.iteration > {at} && d.status === 'running'")
        second = context.new_page()  # of the same user
        second.goto(page.url)
        untouched(second)


def test_reload_and_coming_back_find_the_own_run(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    at = play(page)
    page.reload()
    wait_for(page, f"d.iteration > {at} && d.status === 'running'")
    page.reload(wait_until="commit")
    with page.expect_navigation():  # again, before this one was connected: by the page, as a user's key would
        page.evaluate("setTimeout(() => location.reload())")
    wait_for(page, f"d.iteration > {at} && d.status === 'running'")
    page.goto("about:blank")
    page.go_back()
    wait_for(page, f"d.iteration > {at} && d.status === 'running'")


def test_a_duplicated_tab_begins_a_run_of_its_own_and_keeps_it(live_demo: str, page: Page) -> None:
    open_demo(page, live_demo)
    at = play(page)
    copied = page.evaluate(COPY)
    assert "last" in copied
    twin = page.context.new_page()
    twin.add_init_script(f"if (!sessionStorage.length) {{ {PASTE.format(repr(copied))} }}")
    twin.goto(page.url)
    untouched(twin)
    twin.keyboard.press("ArrowRight")
    wait_for(twin, "d.iteration === '1'")
    twin.reload()
    wait_for(twin, "d.iteration === '1'")
    page.reload()
    wait_for(page, f"d.iteration > {at} && d.status === 'running'")


@contextmanager
def lecture(body: str) -> Iterator[str]:
    """The address of a page of somebody else's server."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_frames_of_one_page_have_runs_of_their_own_and_find_them_after_reload(
    live_demo: str, page: Page
) -> None:
    def said(place: int, text: str) -> None:
        expect(frame_of(place).locator(".live .numbers")).to_contain_text(re.compile(text), timeout=PATIENCE)

    def frame_of(place: int) -> FrameLocator:
        return page.frame_locator("iframe").nth(place)

    frame = f'<iframe src="{live_demo}/?embed=true" width="600" height="700"></iframe>'
    with lecture(f'<link rel="icon" href="data:,">{frame}{frame}') as address:
        page.goto(address)
        for place, steps in ((0, 1), (1, 2)):
            for step in range(steps):
                said(place, rf"iteration {step}(?!\d)")
                frame_of(place).get_by_role("button", name="Step", exact=True).click()
        for _ in range(2):
            said(0, r"iteration 1(?!\d)")
            said(1, r"iteration 2(?!\d)")
            page.reload()
        # In a page of another site the browser denies frames a memory: they work, and begin anew.
        page.goto(address.replace("127.0.0.1", "localhost"))
        said(0, r"iteration 0(?!\d)")
        frame_of(0).get_by_role("button", name="Step", exact=True).click()
        said(0, r"iteration 1(?!\d)")
        said(1, r"iteration 0(?!\d)")


def test_a_network_that_breaks_loses_nothing(live_demo: str, page: Page) -> None:
    page.add_init_script(
        "window.sockets = []; window.WebSocket = class extends WebSocket {"
        " constructor(...all) { super(...all); window.sockets.push(this); } };"
    )
    open_demo(page, live_demo)
    at = play(page)
    for _ in range(2):
        count = page.evaluate("sockets.length")
        assert count >= 2
        page.evaluate("sockets.forEach((socket) => socket.close())")
        page.wait_for_function(
            "sockets.filter((socket) => socket.readyState === 1).length >= 2", timeout=PATIENCE
        )
        wait_for(page, f"d.iteration > {at} && d.status === 'running'")
        at = iteration(page)
    page.get_by_text("jumps").click()  # the page itself is connected again
    wait_for(page, f"d.iteration < {at} && d.status === 'running'")


def test_going_to_another_page_and_back_finds_the_settings_and_the_run(app: str, page: Page) -> None:
    page.goto(f"{app}/odenet?run={'0' * 48}")  # a link from before, with a key
    wait_for(page, "d.snapshots >= 1")
    expect(page).to_have_url(f"{app}/odenet", timeout=PATIENCE)
    steps = page.evaluate("history.length")
    page.get_by_role("slider", name="Learning rate").press("ArrowRight")
    page.get_by_role("button", name="Spirals").click()
    spirals = re.compile(r"/odenet\?(?=.*data=Two\+spirals)(?=.*width=48)(?!.*lr=)")
    expect(page).to_have_url(spirals, timeout=PATIENCE)
    wait_for(page, "d.iteration === '400'")
    page.get_by_role("slider", name="Learning rate").press("ArrowRight")
    changed = re.compile(r"/odenet\?(?=.*data=Two\+spirals)(?=.*width=48)(?=.*lr=0\.02)")
    expect(page).to_have_url(changed, timeout=PATIENCE)
    assert page.evaluate("history.length") == steps, "Back would go through settings"
    page.get_by_role("button", name="Step", exact=True).click()
    wait_for(page, "d.iteration === '401'")

    def visit(lesson: str, address: str) -> None:
        page.get_by_test_id("stSidebarNavLink").filter(has_text=lesson).click()
        expect(page).to_have_url(f"{app}/{address}", timeout=PATIENCE)
        expect(page.locator("h1")).to_have_text(lesson, timeout=PATIENCE)

    def returned() -> None:
        expect(page).to_have_url(changed, timeout=PATIENCE)
        wait_for(page, "d.iteration === '401' && d.status === 'paused'")

    visit("CNF", "cnf")  # which has a learning rate and a width too
    wait_for(page, "d.snapshots >= 1 && d.iteration === '1200'")
    page.go_back()
    returned()
    visit("Solvers", "solvers")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="ODE-Net").click()
    returned()
    page.reload()
    returned()


def test_no_picture_of_a_lost_run_stands_beside_the_buttons_of_the_new_one(
    live_demo: str, page: Page
) -> None:
    opened: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        opened.append(socket)
        if len(opened) == 1:  # the new run's picture is long on its way
            socket.connect_to_server()

    page.route_web_socket(re.compile("/live/"), relay)
    open_demo(page, live_demo)
    play(page)
    assert colours(page) > 20
    page.get_by_role("button", name="Lose it").click()
    wait_for(page, "!('iteration' in d) && !('status' in d)")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".live .numbers")).to_be_empty()
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    assert colours(page) < 20
    assert opened[0].url != opened[1].url
