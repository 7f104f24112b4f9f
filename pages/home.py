"""The first page: what a Neural ODE is, in three sentences and one picture, and the way to the lessons."""

import streamlit as st
from streamlit.errors import StreamlitAPIException

from pages.ui.layout import ASSETS, explain, page_header
from pages.ui.lessons import LESSONS, Lesson

CARDS_A_ROW = 3
PICTURE = "The same field crossed in three Euler steps, in ten, and by its exact flow"
SNIPPET = """
import torch
from node_core import odeint

def f(t, y):                                  # any callable or nn.Module: dy/dt = f(t, y)
    return torch.stack([y[..., 1], -torch.sin(y[..., 0])], dim=-1)

sol = odeint(f, torch.tensor([2.0, 0.0]), torch.linspace(0.0, 10.0, 101), method="dopri5")
sol.ys                                        # the solution, (time, 2)
sol.steps.t, sol.steps.dt, sol.steps.accepted # every step that was tried
"""


def _card(lesson: Lesson) -> None:
    with st.container(border=True, height="stretch"):
        try:
            st.page_link(lesson.path, label=f"**{lesson.title}**", icon=lesson.icon)
        except StreamlitAPIException:  # this page runs alone, so that there is nowhere to go
            st.markdown(f"{lesson.icon} **{lesson.title}**")
        st.markdown(lesson.teaser)


def _picture() -> None:
    # An image cannot see the page's colours: it gets its text colour here. A change of theme reruns the page.
    colour = {"dark": "#e9e9f4"}.get(st.context.theme.type or "", "#1b1b2f")
    svg = (ASSETS / "home.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    st.image(svg, width="stretch", alt=PICTURE)


def _cards() -> None:
    st.subheader("Lessons")
    for start in range(0, len(LESSONS), CARDS_A_ROW):
        columns = st.columns(CARDS_A_ROW)
        for column, lesson in zip(columns, LESSONS[start : start + CARDS_A_ROW], strict=False):
            with column:
                _card(lesson)


page_header("Neural ODEs that show their work", "From residual layers to a flow that a solver follows.")
st.markdown(
    "A **residual network** moves its hidden state a little in every layer, "
    "$y_{k+1} = y_k + \\tfrac{T}{L}\\, f(y_k)$, which is one step of **Euler's method**. "
    "Let the number of layers grow and the steps shrink, and the state follows a differential equation, "
    "$\\dot y = f_\\theta(t, y)$: that is a **Neural ODE**, and its depth is time. "
    "An adaptive **solver** now chooses how many steps each input needs, and the adjoint method trains "
    "$\\theta$ without storing them."
)
_picture()
explain(
    "The same field and the same four points: three big jumps overshoot the spiral, ten come close, and "
    "the flow is what they converge to.",
    equation=r"y_{k+1} = y_k + \frac{T}{L}\, f(y_k) \qquad\xrightarrow{\;L \to \infty\;}\qquad "
    r"\frac{\mathrm{d}y}{\mathrm{d}t} = f(y)",
    code=SNIPPET,
)
_cards()
