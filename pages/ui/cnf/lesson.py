"""What the CNF lesson trains: one flow, or the same field in four ways beside each other."""

from __future__ import annotations

from node_core.training.flow.config import LIVE_FIELDS, CNFConfig, cnf_needs_reset
from pages.ui.live.lesson import LiveLesson

CNF = LiveLesson("cnf", "node_core.training.flow.train:advance", CNFConfig(), LIVE_FIELDS, cnf_needs_reset)
WAYS_LESSON = LiveLesson(
    "cnf ways", "node_core.training.flow.compared:advance", CNFConfig(), LIVE_FIELDS, cnf_needs_reset
)
