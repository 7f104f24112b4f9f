"""Why a solve failed or crawled, as every page tells it: cause, evidence, remedy, and a button that applies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from node_core.solution import Diagnosis
from pages.ui.address import escaped, set_control


@dataclass(frozen=True)
class Applied:
    """What a remedy sets on a page.

    Attributes:
        label: of the button, such as "Take Rodas5P instead".
        controls: the values of the controls, by their keys; empty where the page has none for it.
    """

    label: str = ""
    controls: Mapping[str, object] = field(default_factory=dict)


def tell_diagnosis(who: str, diagnosis: Diagnosis, applied: Applied, key: str) -> None:
    """Draw one diagnosis.

    Args:
        who: what failed, such as a method's label.
        applied: what the remedy sets here.
        key: of the button.
    """
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{key}_box"):
        st.markdown(
            f":material/troubleshoot: **{escaped(who)}: {diagnosis.cause.value}.** "
            f"{_sentence(diagnosis.evidence)} {_sentence(diagnosis.remedy)}",
            width="stretch",
        )
        if applied.controls:
            st.button(
                applied.label,
                key=key,
                icon=":material/healing:",
                width="content",
                on_click=_apply,
                args=(dict(applied.controls),),
            )


def _sentence(text: str) -> str:
    return escaped(text[:1].upper() + text[1:]) + "."


def _apply(controls: Mapping[str, object]) -> None:
    """Set the controls (in a callback, before the next run)."""
    for key, value in controls.items():
        set_control(key, value)
