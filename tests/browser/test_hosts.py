"""Where the app answers: below a path, behind proxies of two kinds, and under a name that nobody gave it."""

import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from socket import create_connection, socket
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import CHROMIUM_ARGS, ROOT, free_port, serve, serve_command

PATIENCE = 90_000


class Proxy(socketserver.ThreadingTCPServer):
    """A reverse proxy: takes `prefix` off each path, and replaces the Host header or passes it on.

    One request a connection, which makes it short; a WebSocket is one too.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, app: str, prefix: str = "", keeps_host: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.app, self.prefix, self.keeps_host = urlsplit(app), prefix, keeps_host
        self.url = f"http://127.0.0.1:{self.server_address[1]}{prefix}"


class _Connection(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.request.recv(65536)
            if not part:
                return
            head += part
        first, rest = head.split(b"\r\n", 1)
        method, path, version = first.decode().split(" ")
        if not path.startswith(self.server.prefix + "/"):
            self.request.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if b"upgrade: websocket" not in rest.lower():
            rest = b"Connection: close\r\n" + re.sub(rb"(?im)^connection:.*?\r\n", b"", rest)
        if not self.server.keeps_host:
            rest = re.sub(rb"(?im)^host:.*?\r\n", f"Host: {self.server.app.netloc}\r\n".encode(), rest)
        path = path.removeprefix(self.server.prefix)
        with create_connection((self.server.app.hostname, self.server.app.port)) as app:
            app.sendall(f"{method} {path} {version}\r\n".encode() + rest)
            _pipe(self.request, app)


def _pipe(browser: socket, app: socket) -> None:
    other = {browser: app, app: browser}
    while True:
        for ready in select([browser, app], [], [])[0]:
            try:
                part = ready.recv(65536)
                if not part:
                    return
                other[ready].sendall(part)
            except OSError:
                return


@contextmanager
def proxied(app: str, prefix: str = "", keeps_host: bool = True) -> Iterator[str]:
    with Proxy(app, prefix, keeps_host) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield proxy.url
        finally:
            proxy.shutdown()


def is_at_work(page: Page, app: str) -> None:
    """The canvas's scripts, its socket, plotly's script and the curves all come through."""
    page.goto(f"{app}/odenet?start=From+scratch")
    expect(page.locator('.live[data-status="paused"]')).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Step", exact=True).click()
    expect(page.locator('.live[data-iteration="1"]')).to_be_visible(timeout=PATIENCE)
    curve = page.locator(".st-key-curve_loss .live-chart")
    expect(curve).to_have_attribute("data-points", re.compile("[1-9]"), timeout=PATIENCE)


def test_the_app_works_below_a_base_path_and_its_page_says_so_when_the_server_goes(
    browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_page()
    with serve("app.py", tmp_path / "log.txt", "--server.baseUrlPath=lab", base="/lab") as app:
        is_at_work(page, app)
        expect(page.locator(".server-word")).to_have_count(0)
    expect(page.locator(".server-word")).to_contain_text("goes on by itself", timeout=PATIENCE)
    expect(page.get_by_text("yourscript.py")).to_be_hidden()
    page.close()


def test_the_app_works_behind_a_proxy_that_takes_a_path_away(app: str, page: Page) -> None:
    with proxied(app, "/user/ann/proxy") as url:
        is_at_work(page, url)
        page.goto("about:blank")  # its curves would go on asking a proxy that is gone


def test_a_foreign_name_is_answered_in_plain_words_and_so_is_a_proxy_that_hides_it(
    app: str, chromium_path: str, browser: Browser
) -> None:
    arguments = [*CHROMIUM_ARGS, "--host-resolver-rules=MAP lab.example 127.0.0.1"]
    with proxied(app, keeps_host=False) as url:
        chromium = browser.browser_type.launch(executable_path=chromium_path, args=arguments)
        tab = chromium.new_page()
        answer = tab.goto(f"{app.replace('127.0.0.1', 'lab.example')}/odenet")
        assert answer is not None and answer.status == 403
        expect(tab.locator("h1")).to_have_text("This app does not answer to the name lab.example.")
        expect(tab.locator("body")).to_contain_text("make run HOST=lab.example")
        expect(tab.locator("body")).to_contain_text("-e HOST=lab.example")
        tab.goto(url.replace("127.0.0.1", "lab.example"))
        word = tab.locator(".server-word")
        expect(word).to_contain_text("let the proxy pass the Host header on", timeout=PATIENCE)
        chromium.close()


def test_the_installed_command_serves_the_app_from_any_folder_at_the_port_of_its_environment(
    tmp_path: Path, page: Page
) -> None:
    built, site, port = tmp_path / "built", tmp_path / "site", free_port()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*cache", ".venv", ".git", "build", "shared")
    )
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", built, source], check=True)
    (wheel,) = built.glob("neural_ode_lab-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", site, wheel], check=True)
    told = {"PYTHONPATH": str(site), "PORT": str(port)}
    command = [sys.executable, str(site / "bin" / "neural-ode-lab"), "--server.headless=true"]
    with serve_command(command, tmp_path / "log.txt", f"http://127.0.0.1:{port}", tmp_path, told) as app:
        is_at_work(page, app)
        page.goto("about:blank")  # it would go on asking a server that is gone
