"""The Energy tab of the Solvers lesson: a thousand periods, and whose energy drifts."""

from __future__ import annotations

import streamlit as st

from node_core.studies.solvers.energy_config import (
    EVALUATIONS,
    PERIODS,
    USUAL_EVALUATIONS,
    EnergyResult,
    energy_question,
    why_no_energy,
)
from node_core.studies.solvers.race_config import RaceConfig
from node_core.studies.solvers.shipped import first_energy
from node_core.studies.solvers.snippets import energy_snippet
from node_core.visualization.solvers.energy import energy_figure, energy_info
from pages.ui.layout import choose, picture
from pages.ui.study import study

ENERGY = "node_core.studies.solvers.energy:run"
# two lines: one is too wide for a phone
LEAPFROG = (
    r"\begin{gathered} p_{n+1/2} = p_n + \tfrac{h}{2} F(q_n), \qquad q_{n+1} = q_n + h\, p_{n+1/2}, \\"
    r"p_{n+1} = p_{n+1/2} + \tfrac{h}{2} F(q_{n+1}) \end{gathered}"
)


def energy_tab(config: RaceConfig) -> None:
    """The race's problem if it keeps an energy, else the harmonic oscillator."""
    problem, refused = config.problem, why_no_energy(config.problem)
    if refused:
        st.caption(f"{refused} Shown is the harmonic oscillator.")
        problem = first_energy().problem
    evaluations = choose(
        "Evaluations of f a period",
        list(EVALUATIONS),
        "energy_evaluations",
        USUAL_EVALUATIONS,
        help="Of the methods of fixed steps, so that none pays more than another. The adaptive method takes what its "
        "tolerance asks for.",
    )
    result: EnergyResult | None = study(
        ENERGY,
        energy_question(problem, evaluations, config.rtol),
        time_limit=60.0,
        spinner=f"{PERIODS:,} periods…",
    )
    if result is None:
        return
    info = energy_info(result)
    picture(
        energy_figure(info),
        "energy",
        f"{info.sentence} Dashed: the symplectic methods, which move positions and velocities in turn.",
        LEAPFROG,
        energy_snippet(result.config, result.period),
    )
