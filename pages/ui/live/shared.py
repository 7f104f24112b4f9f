"""Links with a net: a page's runs are kept as they stand, and who opens the link begins runs of their own from there.

The visitor's runs are put into their tab before the page is drawn, which then finds them as it does after a reload,
with data that the lecturer had drawn or uploaded.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

import streamlit as st

from node_core.runs.machine import MIB, room_for_runs, this_machine
from node_core.runs.shared import Fork, Shared, SharedRuns, is_key
from node_core.runs.snapshot import unpack
from pages.ui.live.parts import parts
from pages.ui.live.run import live_runs
from pages.ui.settings import open_address, own_address
from pages.ui.share import page_address, settings_now, share_link, tell
from pages.ui.tab import tab_memory

NET = "net"  # in the address
_LINK = "share net link"
_TAKEN = "runs taken from a link"
_OWNER = "sharer"


@st.cache_resource(show_spinner=False)
def shared_runs() -> SharedRuns:
    """What this server's visitors have shared."""
    return SharedRuns(memory=min(64 * MIB, room_for_runs(this_machine()) // 4))


# -- who shares


def net_link(page: str, hidden: Mapping[str, str]) -> None:
    """Offer a link with the nets of the page as they are now; show the one that was made last.

    Args:
        page: its name in the address.
        hidden: parameters of the address that hide parts of the page.
    """
    st.markdown("Whoever opens this address goes on from here, in a run of their own.")
    label = "Make a link with the net as it is now"
    st.button(label, icon=":material/add_link:", key="share net", on_click=_keep, args=(page,))
    made = st.session_state.get(_LINK)
    if made is None or made["page"] != page:
        return
    if made["trouble"]:
        st.warning(made["trouble"], icon=":material/error:")
        return
    share_link(page_address({NET: made["key"], **hidden}, made["settings"]), "share net address", "the net")
    hours = shared_runs().seconds / 3600
    st.caption(
        f"Kept for {hours:g} hours, as it was at {made['where']}, with these settings; less long if the server is "
        "started anew or keeps too many. Of yours the last eight are kept."
    )


def _keep(page: str) -> None:
    """Keep the page's runs (in a callback, before the next run)."""
    made: dict[str, object] = {"page": page, "trouble": "", "settings": settings_now((NET,))}
    runs = live_runs()
    try:
        forks = {slot: runs.fork(token) for slot, token in parts().runs.items() if token in runs}
        there = {slot: fork for slot, fork in forks.items() if fork is not None}
        if len(there) < len(forks):
            raise ValueError("A run has not begun yet: try again when its picture is there.")
        owner = tab_memory().setdefault(_OWNER, secrets.token_hex(8))
        made |= {"key": shared_runs().keep(page, there, owner), "where": _where(there)}
    except ValueError as error:
        made["trouble"] = str(error)
    st.session_state[_LINK] = made


def _where(forks: Mapping[str, Fork]) -> str:
    """At which iterations they stand."""
    pictures = [unpack(fork.picture).scalars for fork in forks.values() if fork.picture is not None]
    at = sorted({found for each in pictures if isinstance(found := each.get("iteration"), int)})
    if len(at) < 2:
        return f"iteration {at[0]:,}" if at else "its last good iteration"
    return f"iterations {at[0]:,} to {at[-1]:,}"


# -- who opens the link


def take_shared(page: str) -> bool:
    """Begin this tab's runs where those of the address's key stood; whether the page may be drawn now.

    Not before a visitor has chosen, whose tab holds runs of that page that were played: opening a link loses nothing.

    Args:
        page: its name in the address.
    """
    key = st.query_params.get(NET)
    if key is None:
        return True
    shared = shared_runs().find(key) if is_key(key) else None
    if shared is None or shared.page != page:
        st.query_params.pop(NET)
        tell(page, _why_not(key, shared), icon=":material/link_off:")
        return True
    runs, memory = live_runs(), tab_memory()
    own = [memory[slot] for slot in shared.forks if memory.get(slot, "") in runs]
    if any(runs.look(token).played for token in own):
        _ask(page, key)
        return False
    _take(page, key)
    return True


def check_taken(page: str) -> None:
    """Say so where the address's settings, changed by hand, are not those of the net that it names."""
    taken: list[str] = st.session_state.pop(_TAKEN, [])
    runs = live_runs()
    if any(token in runs and runs.look(token).begun for token in taken):
        words = (
            "The settings of this address are not those of the net that was shared with it: it begins anew."
        )
        tell(page, words, icon=":material/link_off:")
        st.rerun()


def _why_not(key: str, shared: Shared | None) -> str:
    if not is_key(key):
        return "The address asks for a net by a key that can't be one: copy the whole link. It has begun without."
    if shared is not None:
        return "The net of this link is of another page: copy the whole link. This page has begun without."
    return (
        f"The net of this link is not here any more. A server keeps one for {shared_runs().seconds / 3600:g} hours at "
        "most, fewer where many are shared, and none when it is started anew: ask for a new link. This page has the "
        "settings of this one."
    )


def _ask(page: str, key: str) -> None:
    st.info("This link begins with a net that was shared. Your tab has a run of this page, which would end.")
    with st.container(horizontal=True):
        st.button("Keep my run", key="share keep", icon=":material/undo:", on_click=_keep_own, args=(page,))
        st.button("Take the shared net", key="share take", on_click=_take, args=(page, key))
    st.caption("Or open the link in another tab: each has runs of its own.")


def _keep_own(page: str) -> None:
    """Go back to the tab's own run, with the settings that it had (in a callback, before the next run)."""
    open_address(parse_qs(own_address(page), keep_blank_values=True))
    st.query_params.pop(NET, None)


def _take(page: str, key: str) -> None:
    st.query_params.pop(NET, None)
    shared = shared_runs().find(key)
    if shared is None:
        tell(page, _why_not(key, None), icon=":material/link_off:")
        return
    runs, memory, begun = live_runs(), tab_memory(), []
    for slot, fork in shared.forks.items():
        try:
            token = runs.begin(fork)
        except ValueError as error:
            tell(
                page, f"{error} What could not be taken over begins from the start.", icon=":material/error:"
            )
            break
        runs.stop(memory.get(slot, ""))
        memory[slot] = token
        begun.append(token)
    else:
        what = "Your run begins" if len(begun) == 1 else "Your runs begin"
        tell(page, f"{what} where the net of this link stood. It is yours now; Reset leads back there.")
    st.session_state[_TAKEN] = begun
