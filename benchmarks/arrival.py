"""A class arrives: many sessions open one page within a few seconds, over Streamlit's own WebSocket and no browser.

What is measured is the server alone: what a browser adds each student's own machine does for itself. With `--pictures`
it is measured instead, for one visitor: see `benchmarks.first_picture`.

- canvas_s: from a session's arrival to its live canvas (or, on a page without one, to the end of the script).
- script_s: to the end of the script.
- cpu_per_session_ms: processor time of the server process for each session, with its share of what goes on anyway.
- messages and kB of a session: what the server sent it.

    python -m benchmarks.arrival --page odenet --sessions 60 --within 4 --out benchmarks/results/arrival.json
    python -m benchmarks.arrival --pictures --out benchmarks/results/first_picture.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.first_picture import PAGES, pictures
from benchmarks.live import served

LIMIT = 300.0  # s for one session


@dataclass
class Visit:
    """What one session saw: seconds since its arrival, messages and bytes."""

    canvas: float | None = None
    script: float = 0.0
    messages: int = 0
    size: int = 0


async def visit(url: str, page: str, after: float) -> Visit:
    """Arrive after some seconds, open the page, and stay until its script has run to its end."""
    await asyncio.sleep(after)
    started, seen = time.perf_counter(), Visit()
    address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
    async with websockets.connect(
        address,
        subprotocols=[websockets.Subprotocol("streamlit")],
        origin=websockets.Origin(url),
        max_size=None,
        open_timeout=LIMIT,
    ) as socket:
        ask = BackMsg()
        ask.rerun_script.page_name = page
        await socket.send(ask.SerializeToString())
        async with asyncio.timeout(LIMIT):
            async for raw in socket:
                assert isinstance(raw, bytes)
                seen.messages += 1
                seen.size += len(raw)
                message = ForwardMsg.FromString(raw)
                element = message.delta.new_element if message.WhichOneof("type") == "delta" else None
                if (
                    seen.canvas is None
                    and element is not None
                    and element.bidi_component.component_name == "live_canvas"
                ):
                    seen.canvas = time.perf_counter() - started
                if message.WhichOneof("type") == "script_finished":
                    seen.script = time.perf_counter() - started
                    return seen
    raise RuntimeError(f"the server left a session of {page} before its script had ended")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def arrivals(url: str, page: str, sessions: int, within: float) -> list[Visit]:
    """All visits, spread evenly."""
    return list(await asyncio.gather(*(visit(url, page, within * i / sessions) for i in range(sessions))))


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and largest."""
    high = quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"p50": median(values), "p95": high, "max": max(values)}


def measure(page: str, sessions: int, within: float) -> dict[str, Any]:
    """One page on a fresh server: a first visit alone, then all the others."""
    with served() as (url, pid):
        first = asyncio.run(visit(url, page, 0.0))
        time.sleep(5.0)  # the workers settle
        before, started = cpu_seconds(pid), time.perf_counter()
        seen = asyncio.run(arrivals(url, page, sessions, within))
        used, took = cpu_seconds(pid) - before, time.perf_counter() - started
    canvases = [each.canvas if each.canvas is not None else each.script for each in seen]
    return {
        "page": page,
        "sessions": sessions,
        "within_s": within,
        "first_alone_s": {"canvas": first.canvas or first.script, "script": first.script},
        "canvas_s": spread(canvases),
        "script_s": spread([each.script for each in seen]),
        "cpu_per_session_ms": 1000 * used / sessions,
        "all_took_s": took,
        "messages": mean(each.messages for each in seen),
        "kB": mean(each.size for each in seen) / 1000,
    }


def main() -> None:
    """Measure, print, and write the JSON that --out names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", nargs="+", help='names in the address; "" is the first page')
    parser.add_argument("--sessions", type=int, default=60)
    parser.add_argument("--within", type=float, default=4.0, help="seconds in which they all arrive")
    parser.add_argument(
        "--pictures", action="store_true", help="from the address to the picture, in a browser"
    )
    parser.add_argument("--rounds", type=int, default=3, help="visits of a kind, with --pictures")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    if arguments.pictures:
        found = pictures(arguments.page or list(PAGES), arguments.rounds)
    else:
        pages = arguments.page or ["odenet"]
        found = [measure(page, arguments.sessions, arguments.within) for page in pages]
    results = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "pages": found,
    }
    print(json.dumps(results, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
