"""Checkpoints on a live page: the trained net as a file, and a file as the beginning of a run."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import streamlit as st

from node_core.runs.state import TrainState
from pages.ui.address import sentence
from pages.ui.live.lesson import LiveLesson
from pages.ui.live.run import live_runs
from pages.ui.study import read_upload

_PATIENCE = 20.0  # s that a download waits for the net to be there
C = TypeVar("C")


class Saved(Protocol):
    """What a file holds."""

    @property
    def config(self) -> Any:
        """Of the run that was saved."""
        ...

    @property
    def state(self) -> TrainState:
        """Where it stood."""
        ...


@dataclass(frozen=True)
class Checkpoints(Generic[C]):
    """The files of a lesson.

    Args:
        lesson: whose runs are saved.
        save: writes a run.
        check_size: refuses, in a sentence, a configuration whose run would make too large a file.
        load: "node_core.module:function", reads and checks, in a worker, what somebody uploads; a ValueError says
            what is wrong with it.
        show: sets the widgets to a configuration, and says what they then describe.
        needs_reset: whether a run of one configuration can't go on as another.
    """

    lesson: LiveLesson[C]
    save: Callable[[C, TrainState], bytes]
    check_size: Callable[[C], None]
    load: str
    show: Callable[[C], C]
    needs_reset: Callable[[C, C], bool]

    def controls(self, token: str) -> None:
        """Download the run's net; upload one to go on with."""
        with st.expander("Checkpoint", icon=":material/save:"):
            self._download(token)
            st.file_uploader(
                "Go on with a saved net",
                type=["safetensors"],
                key="checkpoint",
                on_change=self._take_file,
                max_upload_size=1,
                help="A file that this page has written. It is checked in full, and holds no code.",
            )
            if st.session_state.get(self._trouble):
                st.error(st.session_state[self._trouble], icon=":material/error:")

    def _download(self, token: str) -> None:
        """Offer the file; what speaks against it is said here: in the button's callback nobody would see it."""
        try:
            self.check_size(live_runs().look(token).config)
        except ValueError as error:
            st.info(sentence(error), icon=":material/save:")
            return
        st.download_button(
            "Download the net as it is now",
            data=lambda: self.bytes_of(token),
            file_name=f"{self.lesson.name}.safetensors",
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
        )

    def take_uploaded(self, token: str, config: C) -> None:
        """Begin the run with the net that was just uploaded, if one was."""
        state: TrainState | None = st.session_state.pop(self._waiting, None)
        if state is not None:
            live_runs().reset(token, config, state=pickle.dumps(state))

    def bytes_of(self, token: str) -> bytes:
        """The run's net as it is now, as a file; waits for the run's first chunk, which makes the net."""
        config, raw = live_runs().look(token).config, live_runs().state(token)
        give_up = time.monotonic() + _PATIENCE
        while raw is None and time.monotonic() < give_up:
            time.sleep(0.05)
            raw = live_runs().state(token)
        if raw is None:
            raise RuntimeError("the run has not begun yet")
        # Written by our own worker: nobody else can put anything there.
        return self.save(config, pickle.loads(raw))

    def _take_file(self) -> None:
        """Check the file and set the widgets to its configuration (in a callback, before the next run)."""
        file = st.session_state["checkpoint"]
        st.session_state[self._trouble] = ""
        if file is None:
            return
        try:
            found: Saved = read_upload(self.load, file.getvalue())
            if self.needs_reset(self.show(found.config), found.config):
                raise ValueError(
                    "this checkpoint holds a net that this page can't show: take one that was saved here."
                )
        except ValueError as error:
            st.session_state[self._trouble] = sentence(error)
            return
        st.session_state[self._waiting] = found.state

    @property
    def _trouble(self) -> str:
        return f"{self.lesson.name} checkpoint trouble"

    @property
    def _waiting(self) -> str:
        return f"{self.lesson.name} uploaded"
