"""What every page can share: its address, with a QR code; and what a shared address may leave out of sight.

Settings are all that such an address holds. Whoever opens it gets a page, and runs, of their own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

import segno
import streamlit as st
from segno.encoder import DataOverflowError

from node_core.assets import ASSETS
from pages.ui.address import escaped

HIDE = "hide"  # in the address
_WORDS = "words of a link"
_FILES = ASSETS / "share"
_LOCAL = re.compile(r"localhost|127(\.\d+){3}|::1")
_GROUPS = {  # name in the address: what it is called, what is hidden
    "controls": ("Controls", ".st-key-lesson > * > * > .stColumn:has(.st-key-controls), .st-key-controls"),
    "cases": ("Cases", ".st-key-presets"),
    "menu": ("Menu", '.stSidebar, .st-key-neighbours, [data-testid="stExpandSidebarButton"]'),
}
_link = st.components.v2.component(
    "share_link",
    html='<div class="share-link"></div>',
    css=(_FILES / "link.css").read_text(encoding="utf-8"),
    js=(_FILES / "link.js").read_text(encoding="utf-8"),
)


def settings_now(without: Sequence[str] = ()) -> dict[str, list[str]]:
    """The page's settings, as its address has them.

    Args:
        without: parameters that are none.
    """
    return {key: st.query_params.get_all(key) for key in st.query_params if key not in (HIDE, *without)}


def page_address(more: Mapping[str, str], settings: Mapping[str, Sequence[str]] | None = None) -> str:
    """The address under which the browser shows this page, with its settings; "" if the browser has not said it.

    Args:
        more: parameters besides.
        settings: those of another moment; None for the present ones.
    """
    base = st.context.url
    if not base:
        return ""
    query = urlencode({**(settings_now() if settings is None else settings), **more}, doseq=True)
    return f"{base}?{query}" if query else base


def only_here(address: str) -> bool:
    """Whether an address leads to this machine from this machine only."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # half a bracket
        return False
    return bool(_LOCAL.fullmatch(host)) or host.endswith(".localhost")


@functools.lru_cache(maxsize=64)
def qr_code(address: str) -> str:
    """An address as a QR code: SVG, black on white, since many cameras read no other; "" if it is too long."""
    try:
        code = segno.make(address, error="m", micro=False)
    except DataOverflowError:
        return ""
    return code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True)


def share_link(address: str, key: str, what: str) -> None:
    """Show an address with its QR code, a button that copies it, and one that shows it large.

    Args:
        address: as of `page_address`.
        key: of the component.
        what: what the address leads to, for those who cannot see the code.
    """
    if not address:
        st.info("Your browser has not said under which address it shows this page: copy it from there.")
        return
    code = qr_code(address)
    _link(key=key, data={"address": address, "code": code, "what": what}, height="content")
    if not code:
        st.caption("It is too long for a QR code.")
    if only_here(address):
        st.caption(
            "This address leads here from this machine only. To let others in, start the app with the machine's name "
            "(`HOST=lab-pc.example.org`), and open it under that name."
        )


def choose_hidden() -> dict[str, str]:
    """Ask what a shared address leaves out of sight; as a parameter of it."""
    chosen = st.pills(
        "Hide behind the link",
        list(_GROUPS),
        selection_mode="multi",
        key="share hidden",
        format_func=lambda name: _GROUPS[name][0],
        help="Who opens the link sees the page without them, and can bring them back.",
    )
    return {HIDE: ",".join(chosen)} if chosen else {}


def tell(page: str, words: str, icon: str = ":material/link:") -> None:
    """Have something said of a link above its page, until it was read (`show_words`).

    Args:
        page: its name in the address.
        words: a sentence or two.
        icon: beside them.
    """
    st.session_state[_WORDS] = (page, words, icon)


def show_words(page: str) -> None:
    """Show what there is to say of the link by which the page was opened."""
    of, words, icon = st.session_state.get(_WORDS, ("", "", ""))
    if not words or of != page:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="share told"):
        st.markdown(f"{icon} {words}", width="content")
        st.button("All right", key="share read", type="tertiary", on_click=_forget_words)


def _forget_words() -> None:
    st.session_state.pop(_WORDS, None)


def hide_what_the_address_says() -> None:
    """Leave out of sight what the address names, say so, and offer it all the same."""
    asked = [name for text in st.query_params.get_all(HIDE) for name in text.split(",") if name]
    known = [name for name in _GROUPS if name in asked]
    strange = [name for name in dict.fromkeys(asked) if name not in _GROUPS]
    if strange:
        st.warning(
            f"The address asks to hide {escaped(', '.join(strange)[:60])}, which can't be hidden: these can: "
            f"{', '.join(_GROUPS)}.",
            icon=":material/link_off:",
        )
    if not known:
        return
    hidden = ", ".join(_GROUPS[name][1] for name in known)
    st.html(f"<style>{hidden} {{ display: none !important; }}</style>")
    words = " and ".join(_GROUPS[name][0].lower() for name in known)
    with st.container(horizontal=True, vertical_alignment="center", key="share words"):
        st.caption(f"Hidden by the link: {words}.", width="content")
        st.button("Show all", key="share show all", type="tertiary", on_click=_show_all)


def _show_all() -> None:
    st.query_params.pop(HIDE, None)
