"""The first page: what a Neural ODE is, in three sentences and one picture, and the way to the lessons."""

import streamlit as st
from streamlit.errors import StreamlitAPIException

from pages.ui.home.first_picture import LEAD, PICTURE, TITLE, svg
from pages.ui.layout import formula_and_code, look_for, page_header, presented
from pages.ui.lessons import LESSONS, Lesson

CARDS_A_ROW = 3
SNIPPET = """
import torch
from node_core import odeint

A = torch.tensor([[-0.35, -2.0], [2.0, -0.35]])                    # the field of the picture
y0 = 0.64 * torch.tensor([[1.0, 0.05], [0.86, 0.3], [0.1, 0.98], [-0.95, 0.2]])
T = 1.25

def f(t, y):                                                       # any callable or nn.Module: dy/dt = f(t, y)
    return y @ A.T

few = odeint(f, y0, [0.0, T], method="euler", dt=T / 3)            # a residual network of 3 layers
more = odeint(f, y0, [0.0, T], method="euler", dt=T / 10)          # of 10 layers
flow = odeint(f, y0, torch.linspace(0.0, T, 60), method="dopri5")  # the flow: flow.ys is (time, point, 2)
flow.steps.t, flow.steps.dt, flow.steps.accepted                   # every step that was tried
"""


def _card(lesson: Lesson) -> None:
    with st.container(border=True, height="stretch"):
        try:
            st.page_link(lesson.path, label=f"**{lesson.title}**", icon=lesson.icon)
        except StreamlitAPIException:  # this page runs alone, so that there is nowhere to go
            st.markdown(f"{lesson.icon} **{lesson.title}**")
        st.markdown(f"*{lesson.question}*  \n{lesson.teaser}")


def _picture() -> None:
    # An image cannot see the page's colours: it gets its text colour here. A change of theme reruns the page.
    colour = {"dark": "#e9e9f4"}.get(st.context.theme.type or "", "#1b1b2f")
    drawn = svg().replace("currentColor", colour)
    with presented("picture"):
        st.image(drawn, width="stretch", alt=PICTURE)


def _cards() -> None:
    st.subheader("Lessons")
    for start in range(0, len(LESSONS), CARDS_A_ROW):
        columns = st.columns(CARDS_A_ROW)
        for column, lesson in zip(columns, LESSONS[start : start + CARDS_A_ROW], strict=False):
            with column:
                _card(lesson)


page_header(TITLE, LEAD)
_picture()
st.markdown(
    "A **residual network** moves its hidden state a little in every layer, "
    "$y_{k+1} = y_k + \\tfrac{T}{L}\\, f(y_k)$, which is one step of **Euler's method**. "
    "Let the number of layers grow and the steps shrink, and the state follows a differential equation, "
    "$\\dot y = f_\\theta(t, y)$: that is a **Neural ODE**, and its depth is time. "
    "An adaptive **solver** now chooses how many steps each input needs, and the adjoint method trains "
    "$\\theta$ without storing them."
)
look_for(
    "The same field and the same four points: three big jumps overshoot the spiral, ten come close, and "
    "the flow is what they converge to."
)
formula_and_code(
    r"y_{k+1} = y_k + \frac{T}{L}\, f(y_k) \qquad\xrightarrow{\;L \to \infty\;}\qquad "
    r"\frac{\mathrm{d}y}{\mathrm{d}t} = f(y)",
    SNIPPET,
)
_cards()
