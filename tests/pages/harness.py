"""A page under Streamlit's own test harness: opening it, and reading what it shows."""

import json
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

PAGES = Path(__file__).resolve().parents[2] / "pages"
LIMIT = 90  # seconds a script may take on a busy machine: the first study waits for its workers


def open_page(page: str, **query: str | list[str]) -> AppTest:
    """`pages/<page>.py` with these query parameters, run once."""
    at = AppTest.from_file(str(PAGES / f"{page}.py"), default_timeout=LIMIT)
    at.session_state["the whole page"] = True  # no browser says that the picture is there
    for key, value in query.items():
        at.query_params[key] = value
    return at.run()


def components(at: AppTest) -> list[Any]:
    """The data of the page's own components, in order."""
    return [json.loads(found.proto.json) for found in at.get("bidi_component")]


def charts(at: AppTest) -> list[Any]:
    """The plotly figures, in order."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def untroubled(at: AppTest) -> bool:
    """Whether the page shows no exception, error or warning."""
    return not at.exception and not at.error and not at.warning


def run_token(at: AppTest, name: str = "run") -> str:
    """The token of the page's run: no browser says which tab this is, so that the session holds it."""
    held = at.session_state["runs held"]
    return str(next(token for slot, token in held.items() if slot.startswith(f"{name} ")))
