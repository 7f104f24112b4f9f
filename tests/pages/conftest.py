"""Workers and live runs of a page's tests end with its file."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _workers() -> Iterator[None]:
    yield
    from pages.ui.live.run import live_runs
    from pages.ui.study import executor

    executor().close()
    executor.clear()
    live_runs.clear()
