"""Each page has settings of its own: going there again, by a link or by Back, finds them as its address had them.

Streamlit keeps the value of a control by its key alone, and its address has that key as the parameter's name. Several
pages have an `lr` or a `width`: the one's value would become the other's, and begin its run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

from pages.ui.tab import tab_memory

Address = dict[str, list[str]]
_SHOWN = "page shown"


@dataclass
class _Shown:
    """The page that a session shows.

    One object, because the script may be stopped at any access to the session state, to begin again.

    Args:
        page: its name in the address.
        keys: of its controls, also of those that were hidden again.
        left: what the page before it had in the address, until this one has run once.
    """

    page: str
    keys: set[str] = field(default_factory=set)
    left: Address = field(default_factory=dict)


def run_page(page: Any) -> None:
    """Run a page of `st.navigation` with its own settings."""
    here = page.url_path
    shown: _Shown = st.session_state.setdefault(_SHOWN, _Shown(here))
    _bring_address(shown, here)
    try:
        page.run()
        shown.left = {}
    finally:
        _remember(shown)


def _bring_address(shown: _Shown, here: str) -> None:
    """Open another page with the address that Back leads to, or else with the one that it had last in this tab."""
    context = get_script_run_ctx()
    assert context is not None
    address = parse_qs(context.query_string, keep_blank_values=True)
    memory = tab_memory()
    left = shown.left
    if shown.page != here:
        for key in shown.keys:
            st.session_state.pop(key, None)
        if context.is_history_navigation:
            _open(context, address)
            shown.page, shown.keys, shown.left = here, set(), {}
            return
        # A link was clicked: what the controls of the page before have in the address now is sent along.
        left = {key: address[key] for key in address.keys() & shown.keys}
        if left:
            memory[_slot(shown.page)] = _query(left)
    elif not left or any(address.get(key) != values for key, values in left.items()):
        return  # the same page; else this run was asked for before the browser knew that it shows another one
    own = {key: values for key, values in address.items() if key not in left}
    _open(context, parse_qs(memory.get(_slot(here), ""), keep_blank_values=True) | own)
    if shown.page != here:
        shown.page, shown.keys, shown.left = here, set(), left


def _open(context: ScriptRunContext, address: Address) -> None:
    # As after Back, the controls take what the address says, or else their default.
    context.is_history_navigation = True
    with context.session_state.query_params() as known:
        known.populate_from_query_string(_query(address))
        known.set_initial_query_params_from_current()
        known._send_query_param_msg()


def _remember(shown: _Shown) -> None:
    """Keep which controls the page has, and its address."""
    context = get_script_run_ctx()
    assert context is not None
    # Not by the session state's own ways: in a run that was stopped each of them stops it again, and a page whose
    # first run is cut short by a click on the next one must be known too.
    shown.keys |= set(context.session_state._state.query_params._bindings_by_param)
    tab_memory()[_slot(shown.page)] = context.query_string


def _query(address: Address) -> str:
    return urlencode(address, doseq=True)


def _slot(page: str) -> str:
    return f"address of {page}"
