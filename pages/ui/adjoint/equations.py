"""Equations (4), (5) and Algorithm 1 of Chen et al. 2018 (arXiv 1806.07366), each symbol in the colour of its curve."""

from __future__ import annotations

import streamlit as st

from node_core.visualization.gradients import A_COLOUR, BACK_COLOUR, LOSS_COLOUR, THETA_COLOURS, Z_COLOUR


def coloured(colour: str, text: str) -> str:
    """LaTeX that draws `text` in `colour`."""
    return rf"\textcolor{{{colour}}}{{{text}}}"


Z = coloured(Z_COLOUR, "z(t)")
A = coloured(A_COLOUR, "a(t)")
A_T = coloured(A_COLOUR, r"a(t)^{\top}")
LOSS = coloured(LOSS_COLOUR, "L")

EQUATION_4 = (
    rf"\frac{{\mathrm d {A}}}{{\mathrm dt}} = -{A_T}\, \frac{{\partial f({Z}, t, \theta)}}{{\partial z}}"
)
EQUATION_5 = (
    coloured(THETA_COLOURS[0], r"\frac{\mathrm dL}{\mathrm d\theta}")
    + rf" = -\int_{{t_1}}^{{t_0}} {A_T}\, \frac{{\partial f({Z}, t, \theta)}}{{\partial \theta}}\, \mathrm dt"
)


def _bracket(z: str, a: str, g: str) -> str:
    """[z, a, g] in the colours of the curves."""
    parts = (coloured(BACK_COLOUR, z), coloured(A_COLOUR, a), coloured(THETA_COLOURS[0], g))
    return r"\bigl[" + r",\; ".join(parts) + r"\bigr]"


_LOSS_AT_T1, _LOSS_AT_T0 = (rf"\tfrac{{\partial L}}{{\partial z(t_{i})}}" for i in (1, 0))
_RATES = (
    rf"\bigl[f,\; -{A_T} \tfrac{{\partial f}}{{\partial z}},\; "
    rf"-{A_T} \tfrac{{\partial f}}{{\partial \theta}}\bigr]"
)
ALGORITHM_1 = (
    r"\begin{aligned} s &= "
    + _bracket("z(t)", "a(t)", "g(t)")
    + r" \\ s(t_1) &= "
    + _bracket("z(t_1)", _LOSS_AT_T1, "0")
    + r" \\ \tfrac{\mathrm ds}{\mathrm dt} &= "
    + _RATES
    + r" \\ s(t_0) &= "
    + _bracket("z(t_0)", _LOSS_AT_T0, r"\tfrac{\partial L}{\partial \theta}")
    + r" \end{aligned}"
)


def equations() -> None:
    """Draw the equations side by side."""
    one, two, three = st.columns([1, 1.25, 1.35])
    with one:
        st.markdown("**Equation (4)**: a(t) flows backward")
        st.latex(EQUATION_4)
        st.caption("At an observation time, a jumps by ∂L/∂z(tᵢ).")
    with two:
        st.markdown("**Equation (5)**: the parameters collect")
        st.latex(EQUATION_5)
        st.caption("The green curves are this integral, from t₁ down to t.")
    with three:
        st.markdown("**Algorithm 1**: all three solved backward at once")
        st.latex(ALGORITHM_1)
        st.caption("Only z(t₁) is kept: O(1) memory, if the purple z(t) finds its way back.")
