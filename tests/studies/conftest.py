"""Studies train nets; nobody waits for these, so a busy machine may take its time."""

import pytest

from node_core.training.classifier import build as classifier
from node_core.training.flow import build as flow


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for build in (classifier, flow):
        monkeypatch.setattr(build, "TIME_LIMIT", 60.0)
