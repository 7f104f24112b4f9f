"""Data that people bring along, drawn, as a table or as a picture: what can't be used leaves the last that could."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import streamlit as st

from pages.ui.address import sentence
from pages.ui.live.lesson import LiveLesson


class Named(Protocol):
    """Data know which kind they are."""

    @property
    def name(self) -> str:
        """Of the data set: "drawn", "csv", "image" ..."""
        ...


D = TypeVar("D", bound=Named)


@dataclass(frozen=True)
class OwnData(Generic[D]):
    """One kind of own data of a lesson, kept in the session.

    Args:
        lesson: whose run may hold such data from before.
        kind: the data's name.
        of: the data in a configuration of the lesson.
    """

    lesson: LiveLesson[Any]
    kind: str
    of: Callable[[Any], D]

    def kept(self) -> D | None:
        """The last good data; those of the run after F5, when the session is a new one but the run goes on."""
        held: D | None = st.session_state.get(self._key)
        if held is not None:
            return held
        config = self.lesson.running()
        found = None if config is None else self.of(config)
        return found if found is not None and found.name == self.kind else None

    def keep(self, data: D) -> None:
        """Take data from elsewhere, such as a checkpoint, as if they had been brought along here."""
        st.session_state[self._key] = data

    def take(self, read: Callable[[], D]) -> None:
        """Read new data, or remember what is wrong with them (in a callback, before the next run)."""
        try:
            self.keep(read())
            st.session_state[self._trouble] = ""
        except ValueError as error:
            st.session_state[self._trouble] = sentence(error)

    def complain(self) -> None:
        """Say what was wrong with what was brought along last."""
        if st.session_state.get(self._trouble):
            st.error(st.session_state[self._trouble], icon=":material/error:")

    @property
    def _key(self) -> str:
        return f"{self.lesson.name} own {self.kind}"

    @property
    def _trouble(self) -> str:
        return f"{self._key} trouble"
