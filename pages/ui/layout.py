"""The look that the pages share: header, a picture with its sentence, equation and code, URL-bound controls.

Every control made here writes its value into the URL (`bind="query-params"`), under its key: a lecturer's
link opens the page as it was, and a value survives a visit to another page. A default value stays out of the
URL, and Streamlit drops a value that does not fit the control. Keys are therefore short and unique in a page.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import streamlit as st

from node_core.assets import ASSETS
from pages.ui.address import drop_infinite
from pages.ui.lessons import lesson_titled, neighbours

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from streamlit.delta_generator import DeltaGenerator

T = TypeVar("T")

LOGO = ASSETS / "logo.svg"

_PLOTLY_CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


def page_header(title: str, lead: str) -> None:
    """Draw the top of a page: its title, one sentence on what a reader will find out here, and what P and ? are for."""
    st.title(title)
    # The links do what the keys do (assets/page/keys.js), for those who have a mouse or a finger.
    st.markdown(f":gray[{lead}] &ensp; [Present:&nbsp;P](#present) &ensp; [Keys:&nbsp;?](#keys)")


def lesson_header(title: str) -> None:
    """Draw the top of a lesson: its title, and the question that it answers."""
    page_header(title, lesson_titled(title).question)


def lesson_footer(path: str) -> None:
    """Offer the lessons before and after the one at `path`, in the order of the lecture."""
    before, after = neighbours(path)
    with st.container(horizontal=True, horizontal_alignment="distribute", key="neighbours"):
        if before is not None:
            st.page_link(before.path, label=f"← {before.title}")
        if after is not None:
            st.page_link(after.path, label=f"{after.title} →")


def presented(
    part: Literal["sentence", "table", "picture", "play", "slider"], name: str = "", **layout: Any
) -> "DeltaGenerator":
    """A container for what stays in sight when the page is presented (key P): assets/page/present.js and page.css.

    Args:
        part: each stands once in a page: one sentence, one slider; only of pictures there may be several.
        name: tells pictures apart.
        layout: as for `st.container`.
    """
    return st.container(key=f"present_{part}{name and '_'}{name}", **layout)


def picture_and_controls() -> tuple["DeltaGenerator", "DeltaGenerator"]:
    """The two places of a lesson: its picture, which comes first where the screen is narrow, and its controls."""
    with st.container(key="lesson"):
        stage, controls = st.columns([2.6, 1], gap="medium")
    return stage, controls


def look_for(sentence: str, besides: str = "") -> None:
    """Say what to see in the page's picture: the sentence that is also presented, and what is said besides."""
    with presented("sentence"):
        st.markdown(f":material/visibility: {sentence}" + (f"\n\n{besides}" if besides else ""))


def explain(sentence: str, equation: str | None = None, code: str | None = None) -> None:
    """Say what to see in a picture (one sentence), with its equation (LaTeX) and the code that repeats it."""
    st.markdown(f":material/visibility: {sentence}")
    formula_and_code(equation, code)


def formula_and_code(equation: str | None, code: str | None) -> None:
    """Draw a picture's equation (LaTeX), and offer the code that repeats it."""
    if equation is not None:
        st.latex(equation)
    if code is not None:
        show_code(code)


def show_code(code: str, label: str = "Show the code") -> None:
    """Offer the node_core snippet that repeats what the page shows, folded away and with a copy button."""
    with st.expander(label, icon=":material/code:"):
        st.code(code.strip("\n"), language="python")


def picture(
    figure: "Figure",
    key: str,
    sentence: str,
    equation: str | None = None,
    code: str | None = None,
) -> None:
    """Draw a plotly figure in the page's theme with its sentence, equation and code below it.

    `key` names the chart for the browser tests and must be unique within the page.
    """
    st.plotly_chart(figure, key=key, theme="streamlit", width="stretch", config=_PLOTLY_CONFIG)
    explain(sentence, equation, code)


def choose(
    label: str,
    options: Sequence[T],
    key: str,
    default: T,
    format_func: Callable[[T], str] = str,
    help: str | None = None,
) -> T:
    """Ask for one of `options`; the URL holds what `format_func` makes of it."""
    chosen = st.selectbox(
        label,
        options,
        index=options.index(default),
        key=key,
        format_func=format_func,
        help=help,
        bind="query-params",
    )
    return default if chosen is None else chosen


def choose_many(
    label: str,
    options: Sequence[T],
    key: str,
    default: Sequence[T],
    format_func: Callable[[T], str] = str,
    max_selections: int | None = None,
    help: str | None = None,
) -> list[T]:
    """Ask for some of `options`, at most `max_selections`; possibly none."""
    return st.multiselect(
        label,
        options,
        default=list(default),
        key=key,
        format_func=format_func,
        max_selections=max_selections,
        help=help,
        bind="query-params",
    )


def slide(
    label: str,
    key: str,
    default: float,
    minimum: float,
    maximum: float,
    step: float,
    help: str | None = None,
) -> float:
    """Ask for a number on a linear slider."""
    return st.slider(label, minimum, maximum, default, step, key=key, help=help, bind="query-params")


def slide_int(
    label: str, key: str, default: int, minimum: int, maximum: int, step: int = 1, help: str | None = None
) -> int:
    """Ask for a whole number on a linear slider."""
    return st.slider(label, minimum, maximum, default, step, key=key, help=help, bind="query-params")


def log_grid(minimum: float, maximum: float, mantissas: Sequence[float] = (1.0, 2.0, 5.0)) -> list[float]:
    """List the round numbers (1, 2, 5 times powers of ten) from `minimum` to `maximum`, both included.

    Raises ValueError unless 0 < minimum < maximum.
    """
    if not 0 < minimum < maximum:
        raise ValueError(f"a logarithmic scale needs 0 < minimum < maximum, got {minimum} and {maximum}")
    decades = range(math.floor(math.log10(minimum)), math.ceil(math.log10(maximum)) + 1)
    # float(f"...") instead of m * 10**k, so that 1e-05 is exactly the number that people type.
    values = (float(f"{m:g}e{k}") for k in decades for m in mantissas)
    return [v for v in values if minimum * (1 - 1e-12) <= v <= maximum * (1 + 1e-12)]


def slide_log(
    label: str,
    key: str,
    default: float,
    minimum: float,
    maximum: float,
    mantissas: Sequence[float] = (1.0, 2.0, 5.0),
    help: str | None = None,
) -> float:
    """Ask for a number on a logarithmic slider of round values (tolerances, step sizes, stiffness).

    The default is added to the scale if it is not on it, so it may be any value within the bounds.
    """
    values = sorted({*log_grid(minimum, maximum, mantissas), default})
    return st.select_slider(
        label,
        values,
        value=default,
        key=key,
        format_func=lambda v: f"{v:g}",
        help=help,
        bind="query-params",
    )


def number(
    label: str,
    key: str,
    default: float,
    minimum: float,
    maximum: float,
    step: float = 0.1,
    help: str | None = None,
) -> float:
    """Ask for a number by typing it (initial conditions, ends of the time span)."""
    return st.number_input(
        label, minimum, maximum, default, step, format="%g", key=key, help=help, bind="query-params"
    )


def whole_number(
    label: str, key: str, default: int, minimum: int, maximum: int, help: str | None = None
) -> int:
    """Ask for a whole number by typing it (seeds)."""
    # Streamlit makes whole numbers of an address's inf or 1e400, and fails: it must not look there this time.
    bind: Literal["query-params"] | None = None if drop_infinite(key) else "query-params"
    return st.number_input(label, minimum, maximum, default, 1, key=key, help=help, bind=bind)


def switch(label: str, key: str, default: bool = False, help: str | None = None) -> bool:
    """Ask for yes or no."""
    return st.toggle(label, default, key=key, help=help, bind="query-params")
