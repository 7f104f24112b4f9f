"""The live page in a real browser: frames, snapshots, training speed watched against unwatched, clicks, memory.

Starts the app, opens ODE-Net in headless Chromium and presses Play. Watched and unwatched stretches of one run take
turns (a run goes on for 15 s after its page was closed), so that a slow minute slows both.

    python -m benchmarks.live --minutes 10 --out benchmarks/results/live.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
STRETCH = 10.0  # seconds; below the 15 s after which an unwatched run sleeps
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
# Count the display's own frames, with their largest gap, and look for a blank canvas once a second.
WATCH = """() => {
  const seen = window.__seen = { frames: 0, gap: 0, blank: 0, looks: 0 };
  let last = performance.now();
  const count = (t) => {
    seen.frames += 1; seen.gap = Math.max(seen.gap, t - last); last = t; requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
  const find = (root) => {
    for (const n of root.querySelectorAll('*')) {
      if (n.matches('.live')) return n;
      const inner = n.shadowRoot && find(n.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  window.__live = () => find(document);
  setInterval(() => {
    const canvas = window.__live()?.querySelector('canvas') ?? window.__live()?.shadowRoot?.querySelector('canvas');
    if (!canvas) { seen.blank += 1; return; }
    const { width, height } = canvas;
    const row = canvas.getContext('2d').getImageData(0, height >> 1, width, 1).data;
    seen.looks += 1;
    if (new Set(new Uint32Array(row.buffer)).size < 2) seen.blank += 1;
  }, 1000);
}"""


def resident(pid: int) -> float:
    """MiB of a process (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def has_torch(pid: int) -> bool:
    """Whether torch's library is mapped into a process."""
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """The app on a free port: its address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url, server.pid
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def numbers(page: Page) -> dict[str, float]:
    """The canvas's own counters: iteration, snapshots."""
    found = page.evaluate("() => ({ ...window.__live().dataset })")
    return {"iteration": float(found["iteration"] or 0), "snapshots": float(found["snapshots"])}


def open_page(page: Page, url: str) -> float:
    """Open the live page and return the seconds to its first picture."""
    started = time.perf_counter()
    page.goto(url)
    page.locator(".live[data-snapshots]:not([data-snapshots='0'])").first.wait_for(timeout=60_000)
    seconds = time.perf_counter() - started
    page.evaluate(WATCH)
    return seconds


def watch(page: Page, seconds: float) -> dict[str, float]:
    """Rates over a stretch of watching."""
    before, started = numbers(page), time.perf_counter()
    page.evaluate("() => { Object.assign(window.__seen, { frames: 0, gap: 0, blank: 0, looks: 0 }); }")
    page.wait_for_timeout(seconds * 1000)
    after, took = numbers(page), time.perf_counter() - started
    seen = page.evaluate("() => window.__seen")
    return {
        "display_per_s": seen["frames"] / took,
        "largest_gap_ms": seen["gap"],
        "blank_frames": seen["blank"],
        "snapshots_per_s": (after["snapshots"] - before["snapshots"]) / took,
        "iterations_per_s": (after["iteration"] - before["iteration"]) / took,
    }


def unwatched(page: Page, seconds: float) -> float:
    """Iterations a second while no page is open."""
    address, before, started = page.url, numbers(page)["iteration"], time.perf_counter()
    page.goto("about:blank")
    time.sleep(seconds)
    open_page(page, address)
    return (numbers(page)["iteration"] - before) / (time.perf_counter() - started)


def clicks(page: Page, count: int) -> float:
    """Median milliseconds from a click on a layer's button to its answer, while training."""
    button = page.get_by_role("button", name="Paths").first
    times = []
    for _ in range(count):
        before = button.get_attribute("aria-pressed")
        started = time.perf_counter()
        button.click()
        page.wait_for_function(
            "([e, old]) => e.getAttribute('aria-pressed') !== old", arg=[button.element_handle(), before]
        )
        times.append(1e3 * (time.perf_counter() - started))
        page.wait_for_timeout(200)
    return median(times)


def pauses(page: Page, count: int) -> float:
    """Median milliseconds from a click on Pause or Play, through the server, to the changed button."""
    times = []
    for i in range(count):
        name, other = ("Pause", "Play") if i % 2 == 0 else ("Play", "Pause")
        target = page.get_by_role("button", name=other, exact=True)
        started = time.perf_counter()
        page.get_by_role("button", name=name, exact=True).click()
        target.wait_for(timeout=20_000)
        times.append(1e3 * (time.perf_counter() - started))
        page.wait_for_timeout(300)
    return median(times)


def measure(minutes: float, rounds: int) -> dict[str, Any]:
    """Everything, in one run."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on this machine: apt-get install chromium")
    with served() as (url, pid), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        first = open_page(page, f"{url}/odenet")
        page.goto("about:blank")  # a second tab would draw beside the first and slow both
        warm = open_page(page, f"{url}/odenet")
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_timeout(4000)
        stretches, alone = [], []
        for _ in range(rounds):
            stretches.append(watch(page, STRETCH))
            alone.append(unwatched(page, STRETCH))
            page.wait_for_timeout(2000)
        answers = {"layer_click_ms": clicks(page, 15), "pause_click_ms": pauses(page, 10)}
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable")

        def memory() -> dict[str, float]:
            client.send("HeapProfiler.collectGarbage")
            metrics = {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
            return {"server_MiB": resident(pid), "tab_heap_MiB": metrics["JSHeapUsedSize"] / 2**20}

        history = [memory()]
        for _ in range(round(minutes)):
            page.wait_for_timeout(60_000)
            history.append(memory())
        torch_in_server = has_torch(pid)
        browser.close()
    rates = {key: median(s[key] for s in stretches) for key in stretches[0]}
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "first_picture_s": {"first page": first, "warm": warm},
        "watched": rates,
        "unwatched_iterations_per_s": median(alone),
        "watched_over_unwatched": rates["iterations_per_s"] / median(alone),
        **answers,
        "memory_each_minute": history,
        "server_imports_torch": torch_in_server,
    }


def main() -> None:
    """Measure, print, and write the JSON that --out names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="minutes over which memory is watched")
    parser.add_argument("--rounds", type=int, default=3, help="watched and unwatched stretches")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    results = measure(arguments.minutes, arguments.rounds)
    print(json.dumps(results, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
