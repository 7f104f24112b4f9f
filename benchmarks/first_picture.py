"""From an address to its picture, in a real Chromium: what `benchmarks.arrival --pictures` measures.

The promises: a page's default picture stands within 1 s on a free machine whose browser has been here before ("warm"),
and within 3 s while both cores are kept busy by others ("busy").

- picture_s: from the navigation's start until the lesson's picture is painted, wherever it comes from.
- page_s: until it stands in the page itself, with its controls around it.
- browser_cpu_s, server_cpu_s: processor time of all processes of either until the picture: what the machine's load
  does not change.
- kB: what came over the network until 3 s after the page stood.

Each visit is a new tab: the first of a context with an empty cache ("cold"), the others with a filled one.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks.live import ARGS, served

PAGES = ("", "resnets", "solvers", "adjoint", "odenet", "architectures", "cnf")
LIMIT = 120_000  # ms
# Tells the first time that a picture is there: before Streamlit's own page, and in it. Shadow roots are remembered as
# they are attached, so that looking costs nothing.
WATCH = """(() => {
  const roots = [], seen = {};
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (how) {
    const root = attach.call(this, how);
    roots.push(root);
    return root;
  };
  const note = (what) => {
    if (what in seen) return;
    seen[what] = performance.now();
    window.__seen(what, seen[what]);
  };
  const painted = (root) => {
    const found = root.querySelector('.live, .race, .adjoint, svg[viewBox="0 0 960 312"]');
    if (found?.tagName === 'svg') return true;
    const data = found?.dataset ?? {};
    return Number(data.snapshots) > 0 || data.fraction !== undefined || data.place !== undefined;
  };
  const shown = (img) => img.complete && img.naturalWidth > 200;
  const image = (root) => [...(root?.querySelectorAll('img') ?? [])].some(shown);
  const look = () => {
    const before = document.querySelector('#first-picture');
    const page = document.querySelector('[data-testid="stMain"]');
    const drawn = roots.filter((root) => root.host.isConnected && painted(root));
    const inPage = drawn.some((root) => !before?.contains(root.host)) || image(page);
    if (inPage || drawn.length || image(before)) note('picture');
    if (inPage && (!before || getComputedStyle(before).display === 'none')) note('page');
    if (!('page' in seen)) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


def cpu_of_group(leader: int) -> float:
    """Processor time (s) of all living processes in the process group of `leader`, and of their ended children."""
    ticks, group = 0, os.getpgid(leader)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended just now
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def visit(context: BrowserContext, url: str, browser_cpu: Any, server: int) -> dict[str, float]:
    """One visit in a new tab."""
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    found: dict[str, float] = {"bytes": 0.0}

    def loaded(event: dict[str, Any]) -> None:
        found["bytes"] += event["encodedDataLength"]

    client.on("Network.loadingFinished", loaded)
    before = browser_cpu(), cpu_of_group(server)

    def seen(what: str, milliseconds: float) -> None:
        found[f"{what}_s"] = milliseconds / 1000
        if what == "picture":
            found["browser_cpu_s"] = browser_cpu() - before[0]
            found["server_cpu_s"] = cpu_of_group(server) - before[1]

    page.expose_function("__seen", seen)
    page.add_init_script(WATCH)
    page.goto(url, wait_until="commit")
    give_up = time.monotonic() + LIMIT / 1000
    while "page_s" not in found and time.monotonic() < give_up:
        page.wait_for_timeout(50)
    page.wait_for_timeout(3000)
    page.close()
    if "page_s" not in found:
        raise RuntimeError(f"{url} showed no picture within {LIMIT / 1000:g} s")
    return found


@contextmanager
def busy_cores() -> Iterator[None]:
    """Every core computes for nobody."""
    spinners = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.terminate()
            spinner.join()


def _spin() -> None:
    while True:
        pass


def _row(page: str, kind: str, visits: list[dict[str, float]], load: float) -> dict[str, Any]:
    names = ("picture_s", "page_s", "browser_cpu_s", "server_cpu_s")
    row = {name: round(median(each[name] for each in visits), 3) for name in names}
    return {"page": page or "home", "kind": kind, **row, "kB": round(visits[0]["bytes"] / 1000), "load": load}


def _measure(browser: Browser, url: str, page: str, server: int, rounds: int) -> Iterator[dict[str, Any]]:
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="light")
    leader = _leader(browser)

    def cpu() -> float:
        return cpu_of_group(leader)

    def visits(count: int) -> list[dict[str, float]]:
        return [visit(context, f"{url}/{page}", cpu, server) for _ in range(count)]

    load = round(os.getloadavg()[0], 1)
    yield _row(page, "cold", visits(1), load)
    yield _row(page, "warm", visits(rounds), load)
    with busy_cores():
        yield _row(page, "busy", visits(rounds), load)
    context.close()


def _leader(browser: Browser) -> int:
    """The browser's own process, which leads the group of all its others."""
    client = browser.new_browser_cdp_session()
    processes = client.send("SystemInfo.getProcessInfo")["processInfo"]
    client.detach()
    return int(next(each["id"] for each in processes if each["type"] == "browser"))


def pictures(pages: list[str], rounds: int) -> list[dict[str, Any]]:
    """A row a page and kind of visit; printed as they come, after one visit of each page that warms the server."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on this machine: apt-get install chromium")
    rows = []
    with served() as (url, server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        time.sleep(5.0)  # the workers settle
        for page in pages:
            for row in _measure(browser, url, page, server, rounds):
                print(row, flush=True)
                rows.append(row)
        browser.close()
    return rows
