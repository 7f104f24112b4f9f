"""Drive the real app in a real Chromium: the server, the browser, and what every browser test watches for.

A test takes `app` (the running server's address) and `page` (a tab). After the test the tab must have logged
no error and show no Streamlit exception. Screenshots go to docs/screenshots if SCREENSHOTS=1 asks for them.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "docs" / "screenshots"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
# On a deep link Streamlit's client tries /<page>/_stcore/ before /_stcore/, and is told 404: not ours.
BASE_PATH_PROBE = re.compile(r"^http://[^/]+(/[^/_]+)+/_stcore/(health|host-config)$")
# Where a test stands between a page and its socket, Playwright's stand-in may still write to the original as that
# closes. Nobody's script is named there; one of ours would be.
STAND_IN = "WebSocket is already in CLOSING or CLOSED state."
START_LIMIT = 60.0  # seconds for the server to answer: generous, because the cores may be busy
RUN_LIMIT = 60_000  # milliseconds for a script run to end
expect.set_options(timeout=RUN_LIMIT)  # Playwright's 5 s are too few where both cores are busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, and give it a second and a third try.

    Two hundred tests share two cores with servers, workers and browsers: now and then one of them loses a race that
    no user would see. What fails three times is a fault; what passes later is listed as RERUN.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))


def find_chromium() -> str | None:
    """Find the system's Chromium, or None."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        reason = "no Chromium on this machine (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}: a browser test may not be skipped in CI")
        pytest.skip(reason)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_LIMIT
    while time.monotonic() < give_up and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the app did not start at {url}; its log says:\n{log.read_text()}")


@contextmanager
def serve(script: str, log: Path, *options: str, base: str = "", port: int | None = None) -> Iterator[str]:
    """Serve a script as `make run` does, on a free port or this one; yield its address; kill its process group."""
    port = free_port() if port is None else port
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1", *options]
    importable = {"PYTHONPATH": str(ROOT)}  # a script below the root imports from the root as well
    with serve_command(command, log, f"http://127.0.0.1:{port}{base}", ROOT, importable) as address:
        yield address


@contextmanager
def serve_command(
    command: list[str], log: Path, url: str, cwd: Path, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """Run a command that serves the app at `url` and yield that; kill its process group."""
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | (environment or {}),
        )
        try:
            _wait_until_healthy(url, server, log)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


@pytest.fixture(scope="session")
def app(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's address."""
    with serve("app.py", tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture(scope="session")
def live_demo(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a small app with one live run."""
    with serve("tests/ui/live/demo_app.py", tmp_path_factory.mktemp("demo") / "log.txt") as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    # Not of the session: while Playwright is open its event loop runs in the main thread,
    # where a later test may want one of its own.
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a tab; after the test, fail if its console showed an error or the page an exception."""
    context = browser.new_context(viewport={"width": 1360, "height": 900}, color_scheme="light")
    tab = context.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        url = message.location.get("url", "")
        if message.text == STAND_IN and not url:
            return
        if message.type == "error" and not BASE_PATH_PROBE.search(url):
            errors.append(f"{message.text} ({url})")

    tab.on("console", note)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    exceptions = tab.locator(".stException").all_inner_texts()
    context.close()
    assert not exceptions, f"the page shows an exception: {exceptions}"
    assert not errors, f"the browser's console shows errors: {errors}"


@pytest.fixture
def settle() -> Callable[[Page], None]:
    """Wait until Streamlit has finished the run that the last action started."""

    def wait(tab: Page) -> None:
        # A run that has just been asked for shows only after a round trip.
        tab.wait_for_timeout(150)
        state = tab.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        expect(state).to_be_visible(timeout=RUN_LIMIT)
        expect(tab.locator('[data-testid="stSpinner"]')).to_have_count(0, timeout=RUN_LIMIT)

    return wait


@pytest.fixture
def choose() -> Callable[[Locator, str], None]:
    """Pick an option of a select box."""

    def pick(box: Locator, option: str) -> None:
        box.scroll_into_view_if_needed()
        box.page.wait_for_timeout(500)  # a menu closes when the page still scrolls
        box.click()
        box.page.get_by_role("option", name=option, exact=True).click()

    return pick


@pytest.fixture
def shot(tmp_path: Path, settle: Callable[[Page], None]) -> Callable[[Page, str], Path]:
    """Save a picture of the settled page: for the README where SCREENSHOTS=1 asks for it, else aside."""

    def save(tab: Page, name: str) -> Path:
        settle(tab)
        folder = SCREENSHOTS if os.environ.get("SCREENSHOTS") == "1" else tmp_path
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        tab.screenshot(path=path)
        return path

    return save
