"""What stands in every page around Streamlit's own: the house's style sheet and the scripts that a page shares."""

from __future__ import annotations

from node_core.assets import ASSETS
from pages.ui.tab import tab_script

_FILES = ASSETS / "page"


def page_head() -> str:
    """HTML for the head of Streamlit's page: before its first paint, and there whatever the page draws anew."""
    style = (_FILES / "page.css").read_text(encoding="utf-8")
    scripts = [path.read_text(encoding="utf-8") for path in sorted(_FILES.glob("*.js"))]
    modules = "".join(f'<script type="module">{script}</script>' for script in scripts)
    return f"<script>{tab_script()}</script><style>{style}</style>{modules}"
