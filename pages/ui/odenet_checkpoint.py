"""Checkpoints on the page: the trained net as a file, and a file as the beginning of a run."""

from __future__ import annotations

import pickle

import streamlit as st

from node_core.training.checkpoint import load, save
from node_core.training.config import TrainConfig, needs_reset
from node_core.training.state import TrainState
from pages.ui.address import sentence
from pages.ui.live import live_runs
from pages.ui.odenet_controls import show_config

_UPLOAD, _WAITING, _TROUBLE = "checkpoint", "odenet uploaded", "odenet checkpoint trouble"


def checkpoint_controls(token: str) -> None:
    """Download the run's net; upload one to go on with."""
    with st.expander("Checkpoint", icon=":material/save:"):
        st.download_button(
            "Download the net as it is now",
            data=lambda: checkpoint_bytes(token),
            file_name="odenet.safetensors",
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
        )
        st.file_uploader(
            "Go on with a saved net",
            type=["safetensors"],
            key=_UPLOAD,
            on_change=_take_file,
            help="A file that this page has written. It is checked in full, and holds no code.",
        )
        if st.session_state.get(_TROUBLE):
            st.error(st.session_state[_TROUBLE], icon=":material/error:")


def take_uploaded(token: str, config: TrainConfig) -> None:
    """Begin the run with the net that was just uploaded, if one was."""
    state: TrainState | None = st.session_state.pop(_WAITING, None)
    if state is not None:
        live_runs().reset(token, config, state=pickle.dumps(state))


def checkpoint_bytes(token: str) -> bytes:
    """The run's net as it is now, as a file."""
    config, raw = live_runs().look(token).config, live_runs().state(token)
    if raw is None:
        raise RuntimeError("the run has not begun yet")
    # Written by our own worker: nobody else can put anything there.
    return save(config, pickle.loads(raw))


def _take_file() -> None:
    """Check the file and set the widgets to its configuration (in a callback, before the next run)."""
    file = st.session_state[_UPLOAD]
    st.session_state[_TROUBLE] = ""
    if file is None:
        return
    try:
        found = load(file.getvalue())
        shown = show_config(found.config)
        if needs_reset(shown, found.config):
            raise ValueError(
                "this checkpoint holds a net that this page can't show: take one that was saved here."
            )
    except ValueError as error:
        st.session_state[_TROUBLE] = sentence(error)
        return
    st.session_state[_WAITING] = found.state
