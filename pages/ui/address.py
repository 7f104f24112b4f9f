"""What the address bar asks for in vain, and words from outside made safe: what the controls of the lessons share."""

from __future__ import annotations

import math

import streamlit as st

_SET, _SET_BEFORE = "controls set by the program", "controls set before this run"
_HELD = "values that controls held"
_REMEMBERED = 50  # values a control


class Url:
    """Remembers what the address held before the controls took it, to say afterwards what could not be used.

    Args:
        later: for controls further down the page, which has asked its address once already in this run.
    """

    def __init__(self, later: bool = False) -> None:
        if not later:
            st.session_state[_SET_BEFORE] = st.session_state.pop(_SET, ())
        changed = st.session_state.get(_SET_BEFORE, ())
        self.before = {key: st.query_params.get_all(key) for key in st.query_params if key not in changed}
        self.used: dict[str, object] = {}
        self.held: dict[str, list[object]] = st.session_state.setdefault(_HELD, {})

    def note(self, key: str, value: object) -> None:
        """Record the value that the control `key` ended up with.

        The browser writes it into the address, where it stands yet when another control has made it impossible, or
        when the next value is already here. So it is remembered: the page does not complain of what it wrote itself.
        """
        self.used[key] = value
        held = [old for old in self.held.get(key, []) if old != value]
        self.held[key] = [*held, value][-_REMEMBERED:]

    def complaints(self) -> list[str]:
        """One sentence for each value of the address that no control took."""
        found = []
        for key, texts in self.before.items():
            if key not in self.used or any(_same(texts, value) for value in self.held[key]):
                continue
            asked, used = escaped(", ".join(text[:40] for text in texts)), escaped(_shown(self.used[key]))
            found.append(
                f"The address asks for {escaped(key)} = {asked or 'nothing'}, which can't be used here; "
                f"it is {used} now."
            )
        return found


def drop_infinite(key: str) -> bool:
    """Take a number out of the address that no control can hold; whether there was one.

    `Url`, which must have been made before, still says that it was asked for.
    """
    try:
        infinite = not all(math.isfinite(float(text)) for text in st.query_params.get_all(key))
    except ValueError:  # no number at all: Streamlit drops that itself
        return False
    if infinite:
        del st.query_params[key]
    return infinite


def set_control(key: str, value: object) -> None:
    """Give the control `key` another value (in a callback, before the next run).

    The address still holds the old one then; the next `Url` does not take that for something asked in vain. Of a
    number whose control is not there yet Streamlit would never tell the address.
    """
    if key not in st.session_state and isinstance(value, int | float) and not isinstance(value, bool):
        st.query_params[key] = f"{value:g}"
    st.session_state[key] = value
    st.session_state[_SET] = (*st.session_state.get(_SET, ()), key)


def sentence(error: ValueError) -> str:
    """The first line of an error, as a sentence, safe in Markdown."""
    text = str(error).splitlines()[0]
    text = escaped(text[:1].upper() + text[1:])
    return text if text.endswith((".", "!", "?")) else f"{text}."


def escaped(text: str) -> str:
    """Text from outside, so that Markdown shows it and nothing else: no link, no picture, no formula."""
    for mark in "\\`*_$[]<>~:#|!":
        text = text.replace(mark, f"\\{mark}")
    return text


def _same(texts: list[str], value: object) -> bool:
    """Whether the address's text says what the control holds."""
    if isinstance(value, list):
        # an emptied list stands in the address as `methods=`
        return [text for text in texts if text] == [str(item) for item in value]
    if value is None:
        return texts in ([], [""])
    if isinstance(value, bool):
        return texts[-1] == str(value).lower()
    if isinstance(value, float):
        try:
            return float(texts[-1]) == value
        except ValueError:
            return False
    return texts[-1] == str(value)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "empty"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    return "automatic" if value is None else str(value)
