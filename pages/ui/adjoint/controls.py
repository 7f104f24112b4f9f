"""The controls of the Adjoint lesson: every value in the URL, and a preset that makes the adjoint go wrong."""

from __future__ import annotations

import streamlit as st

from node_core.fields.systems.system import Parameter
from node_core.solvers.methods import METHODS
from node_core.studies.gradients.config import (
    DEFAULT_HORIZON,
    LARGEST_HORIZON,
    METHOD_CHOICES,
    MODES,
    AdjointConfig,
    Task,
    parse_times,
)
from node_core.studies.gradients.fields import FIELDS
from pages.ui.address import Url, sentence, set_control
from pages.ui.layout import choose, log_grid, presented

AT_THE_END, AT_TIMES = "at the end", "at chosen times"
DEFAULT_MODES = ("adjoint", "checkpointed")
DEFAULT_RTOL = 1e-4
WRONG = {
    "field": "learned",
    "horizon": 10.0,
    "rtol": 1e-3,
    "method": "dopri5",
    "loss": AT_THE_END,
    "modes": ["adjoint", "adjoint_seminorm", "interpolated", "checkpointed"],
}
"""What the button "When the adjoint goes wrong" sets."""


def wrong_button() -> None:
    """Draw the button that sets the case of `WRONG`."""
    st.button(
        "When the adjoint goes wrong",
        key="wrong",
        icon=":material/warning:",
        on_click=_go_wrong,
        help="The learned field, T = 10, dopri5 at tolerance 1e-3: the z(t) that is solved backward leaves the path.",
    )


def adjoint_controls() -> AdjointConfig | None:
    """Draw the controls; None where a value can't be used (the sentence is on the page)."""
    url = Url()
    key = choose("Field", list(FIELDS), "field", "learned", format_func=lambda k: FIELDS[k].name)
    url.note("field", FIELDS[key].name)
    parameters = tuple((p.name, _slider(key, p, url)) for p in FIELDS[key].parameters)
    # one key for all fields: a control that appears anew would not write the preset's value into the address
    with presented("slider"):
        horizon = st.slider(
            "Horizon T", 1.0, LARGEST_HORIZON, DEFAULT_HORIZON, 0.5, key="horizon", bind="query-params"
        )
    url.note("horizon", horizon)
    rtol = st.select_slider(
        "Tolerance",
        log_grid(1e-10, 1e-1, (1.0, 3.0)),
        value=DEFAULT_RTOL,
        key="rtol",
        format_func=lambda v: f"{v:g}",
        bind="query-params",
    )
    url.note("rtol", rtol)
    modes = st.multiselect(
        "Gradient modes",
        list(MODES),
        list(DEFAULT_MODES),
        key="modes",
        format_func=lambda mode: MODES[mode],
        wrap=True,
        bind="query-params",
    )
    url.note("modes", [MODES[mode] for mode in modes])
    method = choose(
        "Solver", list(METHOD_CHOICES), "method", "dopri5", format_func=lambda m: METHODS[m].label
    )
    url.note("method", METHODS[method].label)
    loss = choose("Loss", [AT_THE_END, AT_TIMES], "loss", AT_THE_END)
    url.note("loss", loss)
    try:
        observations = _times(key, horizon, loss, url)
        config = AdjointConfig(
            Task(key, parameters, horizon, observations), float(rtol), method, tuple(modes)
        )
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return None
    finally:
        complaints = url.complaints()
        if complaints:
            st.warning("  \n".join(complaints), icon=":material/link_off:")
    return config


def _go_wrong() -> None:
    """Set the case of the preset (in a callback, before the next run)."""
    for name, value in WRONG.items():
        set_control(name, value)


def _slider(field: str, parameter: Parameter, url: Url) -> float:
    key = f"{field}_{parameter.name}"
    value = st.slider(
        parameter.words,
        parameter.minimum,
        parameter.maximum,
        parameter.default,
        parameter.step,
        key=key,
        bind="query-params",
    )
    url.note(key, value)
    return float(value)


def _times(field: str, horizon: float, loss: str, url: Url) -> tuple[float, ...]:
    """The observation times: T alone, or those that are typed."""
    if loss == AT_THE_END:
        return (horizon,)
    default = f"{horizon / 3:.3g}, {2 * horizon / 3:.3g}, {horizon:.3g}"
    text = st.text_input(
        f"Times of the loss, up to T = {horizon:g}",
        "",
        key=f"{field}_times",
        placeholder=default,
        max_chars=80,
        bind="query-params",
    )
    url.note(f"{field}_times", text)
    return parse_times(text or default, horizon)
