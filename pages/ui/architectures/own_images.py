"""Which images the nets learn: the digits, MNIST's files in the server's folder, or files that somebody brings."""

from __future__ import annotations

import streamlit as st

from node_core.data.images import KEPT_TEST, KEPT_TRAIN, VARIABLE, ImageData, data_folder
from node_core.studies.architectures.table_config import MODELS
from node_core.training.images.config import ImagesConfig
from pages.ui.address import Url, sentence
from pages.ui.architectures.lesson import ARCHITECTURES
from pages.ui.layout import choose
from pages.ui.live.run import live_runs, present_run
from pages.ui.study import read_upload

READ, LOOK = "node_core.data.images:kept_files", "node_core.data.images:kept_folder"
NAMES = {
    "digits": "Digits, 8 × 8",
    "folder": f"The server's {VARIABLE}",
    "files": "Your MNIST files",
}
_KEY, _UPLOAD = "architectures own images", "idx"
_PATIENCE = 60.0  # s that reading some megabytes may take on a busy machine


def ask_images(url: Url) -> str:
    """Ask which images: "digits", "folder" where the server was given one, or "files"."""
    names = [name for name in NAMES if name != "folder" or data_folder()]
    chosen = choose("Images", names, "images", "digits", format_func=lambda name: NAMES[name])
    url.note("images", NAMES[chosen])
    return chosen


def image_data(name: str) -> ImageData | None:
    """The images of a choice; None, after a sentence, where there are none to be had.

    Raises:
        ValueError: the server's folder can't be used.
    """
    if name == "digits":
        return ImageData()
    if name == "folder":
        found: ImageData = read_upload(LOOK, data_folder().encode(), _time_limit=_PATIENCE)
        return found
    return _uploaded()


def _uploaded() -> ImageData | None:
    files = st.file_uploader(
        "MNIST's images and labels: two or four IDX files, .gz, or plain up to 12 MB each",
        accept_multiple_files=True,
        key=_UPLOAD,
        max_upload_size=12,
        help=f"Fashion-MNIST's and KMNIST's are alike. The first {KEPT_TRAIN:,} training and {KEPT_TEST:,} test images "
        "are taken, at half their size: more take minutes, and a command (`python -m node_core table1`).",
    )
    if files:
        named = tuple((file.name, file.getvalue()) for file in files)
        try:
            st.session_state[_KEY] = read_upload(READ, named, _time_limit=_PATIENCE)
        except ValueError as error:
            st.error(sentence(error), icon=":material/error:")
    kept = st.session_state.get(_KEY) or _of_the_runs()
    if kept is None and not files:
        st.info("Choose the files: images and labels of the same set.", icon=":material/upload:")
    return kept


def _of_the_runs() -> ImageData | None:
    """What the page's runs learn, after F5, when the session is a new one but the runs go on."""
    for name in MODELS:
        token = present_run(ARCHITECTURES.task, name)
        config = None if token is None else live_runs().look(token).config
        if isinstance(config, ImagesConfig) and config.data.name == "files":
            return config.data
    return None
