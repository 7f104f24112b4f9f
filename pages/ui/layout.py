"""The look that the pages share: header, a picture with its sentence, equation and code, URL-bound controls.

Every control made here writes its value into the URL (`bind="query-params"`), under its key: a lecturer's
link opens the page as it was, and a value survives a visit to another page. A default value stays out of the
URL, and Streamlit drops a value that does not fit the control. Keys are therefore short and unique in a page.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

T = TypeVar("T")

ASSETS = Path(__file__).resolve().parents[2] / "assets"
LOGO = ASSETS / "logo.svg"

_PLOTLY_CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


def page_header(title: str, lead: str) -> None:
    """Draw the top of a page: its title, and one sentence on what a reader will find out here."""
    st.title(title)
    st.markdown(f":gray[{lead}]")


def explain(sentence: str, equation: str | None = None, code: str | None = None) -> None:
    """Say what to see in a picture (one sentence), with its equation (LaTeX) and the code that repeats it."""
    st.markdown(f":material/visibility: {sentence}")
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


def switch(label: str, key: str, default: bool = False, help: str | None = None) -> bool:
    """Ask for yes or no."""
    return st.toggle(label, default, key=key, help=help, bind="query-params")
