"""The skeleton of a lesson with a live run: what it trains, and what stays when the widgets describe nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from pages.ui.live.run import live_run, live_runs, present_run

C = TypeVar("C")


@dataclass(frozen=True)
class LiveLesson(Generic[C]):
    """What a lesson trains.

    Args:
        name: of the lesson; what is kept of it in the session begins with it.
        task: "node_core.module:advance".
        default: where nothing else is known; all its configurations are of this class.
        live_fields: fields that may change while a run goes on.
        begins_anew: whether a run of the first configuration can't go on as the second, even if only those changed.
    """

    name: str
    task: str
    default: C
    live_fields: tuple[str, ...] = ()
    begins_anew: Callable[[Any, Any], bool] | None = None

    def run(self, config: C, name: str = "run") -> str:
        """The token of the page's run of this name, begun or changed as the configuration asks (see `live_run`)."""
        return live_run(
            self.task, config, live_fields=self.live_fields, begins_anew=self.begins_anew, name=name
        )

    def runs(self, configs: dict[str, C]) -> list[str]:
        """The tokens of runs side by side; what comes to stand beside a run that plays, plays with it."""
        tokens = [self.run(config, name) for name, config in configs.items()]
        before = st.session_state.get(f"{self.name} shown", ())
        st.session_state[f"{self.name} shown"] = tuple(tokens)
        runs = live_runs()
        if runs.look(tokens[0]).status == "running":
            for token in tokens[1:]:
                if token not in before and runs.look(token).status == "paused":
                    runs.play(token)
        return tokens

    def last_good(self, config: C | None) -> C:
        """What the widgets describe; where they can't, what was trained before: nothing is lost by a mistake."""
        if config is None:
            config = self.running() or self._kept()
        st.session_state[f"{self.name} last good"] = config
        return config

    def running(self) -> C | None:
        """The configuration of the run that the page shows, or None before there is one."""
        token = present_run(self.task)
        config: Any = None if token is None else live_runs().look(token).config
        return config if isinstance(config, type(self.default)) else None

    def _kept(self) -> C:
        kept = st.session_state.get(f"{self.name} last good")
        return kept if isinstance(kept, type(self.default)) else self.default
