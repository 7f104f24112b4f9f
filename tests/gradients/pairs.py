"""Which gradient modes go with which methods: the others are refused, which `test_reversible` and others look at."""

from __future__ import annotations

import pytest

from node_core.gradients.names import goes_with
from node_core.solvers.methods import METHODS


def skip_unless_together(mode: str, method: str) -> None:
    """Skip a pair that the front door refuses."""
    if not goes_with(mode, METHODS[method].family):
        pytest.skip(f"{method} has no {mode}")
