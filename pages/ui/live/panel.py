"""The Share panel of a lesson's page: what can be given to others, each with its address and its QR code."""

from __future__ import annotations

import streamlit as st

from pages.ui.live.classroom import class_key, class_panel
from pages.ui.live.parts import parts
from pages.ui.live.shared import net_link
from pages.ui.live.watch import watch_link, watched_key
from pages.ui.share import choose_hidden, page_address, share_link

_WIDTH = 400  # pixels
SETTINGS, WITH_NET, WATCH_ME, CLASS = "As it is set", "With the net", "Watch me", "Class"


def share_panel(page: str, title: str) -> None:
    """Draw the panel, when the page is drawn: its address and its runs are known then.

    Args:
        page: its name in the address.
        title: of the lesson.
    """
    with st.popover("Share", icon=":material/share:", key="share panel"), st.container(width=_WIDTH):
        offered = [SETTINGS, *([WITH_NET, WATCH_ME, CLASS] if parts().runs or watched_key() else [])]
        what = st.segmented_control(
            "What to share",
            offered,
            default=SETTINGS,
            required=True,
            key="share what",
            label_visibility="collapsed",
        )
        if what == WITH_NET:
            net_link(page, choose_hidden() | class_key())
        elif what == WATCH_ME:
            watch_link(page, title)
        elif what == CLASS:
            class_panel()
        else:
            st.markdown("Whoever opens this address has a page, and runs, of their own, with these settings.")
            share_link(
                page_address(choose_hidden() | class_key()), "share settings", "this page as it is set"
            )
