"""What all tests share: one thread a process, seeded randomness, and pages that run as the app runs them."""

import os
import random
import sys

import numpy as np
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Two workers of pytest on two cores: more threads would only make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


class OneBrowser(LoadScopeScheduling):
    """Hands out tests one by one, but those in a browser to one worker: a server and a browser are enough."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneBrowser:
    return OneBrowser(config, log)


@pytest.fixture(autouse=True)
def _seeded_randomness() -> None:
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")  # a test that has not imported torch has nothing to seed
    if torch is not None:
        torch.manual_seed(0)


@pytest.fixture
def navigation_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AppTest run `app.py` as the server does.

    AppTest's second run otherwise takes the legacy multipage path, because there is a folder `pages/`, and
    skips `app.py` altogether.
    """
    from streamlit.runtime.pages_manager import PagesManager

    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
