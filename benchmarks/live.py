"""The live page in a real browser: frames, snapshots, training speed watched against unwatched, clicks, memory.

Starts the app, opens ODE-Net in headless Chromium and presses Play. Watched and unwatched stretches of one run take
turns (a run goes on for 15 s after its page was closed), so that a slow minute slows both.

What the figures mean:

- display_per_s: frames by requestAnimationFrame while the page trains and draws. What the machine itself allows is
  measured beside it: on the same page with the canvas hidden, and on an empty page, both while a worker trains.
- snapshots_per_s: pictures full of new data that were drawn, at the speeds "fast" and "smooth".
- answers_ms: from the browser's time stamp of the input event to the answer in the page, both read in the page itself:
  pause and resume: the button shows what the server has acknowledged; step: the new iteration is drawn; layer: a button
  of the canvas that asks no server; learning rate: a native widget, until the page's script has run to its end.

    python -m benchmarks.live --minutes 10 --out benchmarks/results/live.json    # about 3 minutes and the ten
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
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
STRETCH = 10.0  # seconds; below the 15 s after which an unwatched run sleeps
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
# Count the display's own frames, with their largest gap, look for a blank canvas once a second, and time answers.
WATCH = """() => {
  const seen = window.__seen = { frames: 0, gap: 0, blank: 0, looks: 0 };
  let last = performance.now();
  const count = (t) => {
    seen.frames += 1; seen.gap = Math.max(seen.gap, t - last); last = t; requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
  const find = (root, what) => {
    for (const n of root.querySelectorAll('*')) {
      if (n.matches(what)) return n;
      const inner = n.shadowRoot && find(n.shadowRoot, what);
      if (inner) return inner;
    }
    return null;
  };
  window.__live = () => find(document, '.live');
  setInterval(() => {
    const canvas = find(window.__live(), 'canvas');
    if (!canvas || !window.__live().clientWidth) return;
    const { width, height } = canvas;
    const row = canvas.getContext('2d').getImageData(0, height >> 1, width, 1).data;
    seen.looks += 1;
    if (new Set(new Uint32Array(row.buffer)).size < 2) seen.blank += 1;
  }, 1000);
  // Milliseconds from the next input event of this type to `answer()` being another one than now and accepted.
  window.__time = (type, what, attribute, wanted) => {
    const element = find(document, what);
    const before = element.getAttribute(attribute);
    window.__took = new Promise((resolve) => {
      addEventListener(type, (event) => {
        const look = () => {
          const now = element.getAttribute(attribute);
          if (now === before || (wanted && now !== wanted)) return;
          watcher.disconnect();
          resolve(performance.now() - event.timeStamp);
        };
        const watcher = new MutationObserver(look);
        watcher.observe(element, { attributes: true });
      }, { once: true, capture: true });
    });
  };
  // The script's run must have begun before its end counts.
  window.__timeRun = (type) => {
    const app = document.querySelector('[data-testid="stApp"]');
    window.__took = new Promise((resolve) => {
      addEventListener(type, (event) => {
        let began = false;
        const watcher = new MutationObserver(() => {
          const state = app.getAttribute('data-test-script-state');
          if (state === 'running') began = true;
          if (!began || state !== 'notRunning') return;
          watcher.disconnect();
          resolve(performance.now() - event.timeStamp);
        });
        watcher.observe(app, { attributes: true });
      }, { once: true, capture: true });
    });
  };
}"""
EMPTY = """(ms) => new Promise((done) => {
  let frames = 0; const start = performance.now();
  const count = () => {
    frames += 1;
    const took = performance.now() - start;
    if (took < ms) requestAnimationFrame(count); else done((1000 * frames) / took);
  };
  requestAnimationFrame(count);
})"""


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


def unwatched(page: Page, seconds: float) -> dict[str, float]:
    """Iterations a second while no page is open, and the frames a second of an empty page meanwhile."""
    address, before, started = page.url, numbers(page)["iteration"], time.perf_counter()
    page.goto("about:blank")
    frames = page.evaluate(EMPTY, 1000 * seconds)
    open_page(page, address)
    rate = (numbers(page)["iteration"] - before) / (time.perf_counter() - started)
    return {"iterations_per_s": rate, "empty_page_per_s": frames}


def hidden(page: Page, seconds: float) -> float:
    """Frames a second of the same page while it trains and the canvas draws nothing."""
    page.evaluate(
        "() => { window.__live().style.visibility = 'hidden'; window.__live().style.display = 'none'; }"
    )
    page.wait_for_timeout(500)
    frames = float(page.evaluate(EMPTY, 1000 * seconds))
    page.evaluate("() => { window.__live().style.visibility = ''; window.__live().style.display = ''; }")
    page.wait_for_timeout(500)
    return frames


def at_speed(page: Page, key: str, seconds: float) -> float:
    """Snapshots a second after the speed was turned by one key."""
    page.get_by_role("slider", name="Speed").press(key)
    page.wait_for_timeout(3000)
    return watch(page, seconds)["snapshots_per_s"]


def press(page: Page, name: str) -> None:
    """A real click with the mouse, without Playwright's own checks in between."""
    box = page.get_by_role("button", name=name, exact=True).first.bounding_box()
    assert box is not None, f"no button {name}"
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def took(page: Page) -> float:
    """Milliseconds from the input to the answer; then a rest."""
    limit = "new Promise((done) => setTimeout(() => done(30000), 30000))"  # no answer counts as 30 s
    milliseconds = float(page.evaluate(f"() => Promise.race([window.__took, {limit}])"))
    page.wait_for_timeout(400)
    return milliseconds


def answers(page: Page, count: int) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of the milliseconds from an input to its answer, by kind."""
    found: dict[str, list[float]] = {
        kind: [] for kind in ("pause", "resume", "step", "layer", "learning rate")
    }
    for i in range(count):
        page.evaluate("() => window.__time('click', '.live-bar', 'data-playing', 'false')")
        press(page, "Pause")
        found["pause"].append(took(page))
        page.evaluate("() => window.__time('click', '.live', 'data-iteration')")
        press(page, "Step")
        found["step"].append(took(page))
        page.evaluate("() => window.__time('click', '.live-bar', 'data-playing', 'true')")
        press(page, "Play")
        found["resume"].append(took(page))
        page.evaluate("() => window.__time('click', '.live', 'data-layers')")
        press(page, "Paths")
        found["layer"].append(took(page))
        slider = page.get_by_role("slider", name="Learning rate")
        slider.focus()
        page.evaluate("() => window.__timeRun('keydown')")
        page.keyboard.press("ArrowLeft" if i % 2 == 0 else "ArrowRight")
        found["learning rate"].append(took(page))
    return {
        kind: {"p50": median(times), "p95": quantiles(times, n=20, method="inclusive")[-1]}
        for kind, times in found.items()
    }


def measure(minutes: float, rounds: int) -> dict[str, Any]:
    """Everything, in one run."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on this machine: apt-get install chromium")
    load = os.getloadavg()[0]
    with served() as (url, pid), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        first = open_page(page, f"{url}/odenet")
        page.goto("about:blank")  # a second tab would draw beside the first and slow both
        warm = open_page(page, f"{url}/odenet")
        page.get_by_role("button", name="Play", exact=True).click()
        page.wait_for_timeout(4000)
        stretches, alone, nothing = [], [], []
        for _ in range(rounds):
            stretches.append(watch(page, STRETCH))
            nothing.append(hidden(page, STRETCH / 2))
            alone.append(unwatched(page, STRETCH))
            page.wait_for_timeout(2000)
        smooth = at_speed(page, "ArrowLeft", STRETCH)
        at_speed(page, "ArrowRight", 1.0)
        answered = answers(page, 12)
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
    trained = median(a["iterations_per_s"] for a in alone)
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_before": load,
        "first_picture_s": {"first page": first, "warm": warm},
        "watched": rates,
        "display_allowed_per_s": {
            "same page, nothing drawn": median(nothing),
            "empty page": median(a["empty_page_per_s"] for a in alone),
        },
        "smooth_snapshots_per_s": smooth,
        "unwatched_iterations_per_s": trained,
        "watched_over_unwatched": rates["iterations_per_s"] / trained,
        "answers_ms": answered,
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
