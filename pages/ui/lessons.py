"""The one list of the lessons: navigation and the cards of the first page are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """A page of the dashboard.

    `path` is relative to the folder of `app.py`; `section` is its heading in the sidebar; `teaser` says in a
    sentence what can be found out there.
    """

    path: str
    title: str
    icon: str
    section: str
    teaser: str


HOME = Lesson("pages/home.py", "Home", ":material/home:", "Start", "What a Neural ODE is, in one picture.")

LESSONS = (
    Lesson(
        "pages/solvers.py",
        "Solvers",
        ":material/timeline:",
        "Foundations",
        "Race Euler against Runge-Kutta and adaptive stepping: watch one spiral out or explode while another "
        "shortens its steps exactly where the field bends.",
    ),
    Lesson(
        "pages/adjoint.py",
        "Adjoint",
        ":material/undo:",
        "Foundations",
        "Watch the gradient flow backward through the solver, find out what each way back costs, and see the "
        "adjoint method lose its way.",
    ),
    Lesson(
        "pages/odenet.py",
        "ODE-Net",
        ":material/blur_on:",
        "Learning",
        "Press Play and watch a learned flow untangle your data while its solver works harder and harder; turn the "
        "tolerance, the learning rate or the solver while it trains.",
    ),
    Lesson(
        "pages/resnets.py",
        "ResNets to ODEs",
        ":material/stairs:",
        "Learning",
        "Add layers to a residual network until its jumps become the curves of an ODE, and measure how fast.",
    ),
    Lesson(
        "pages/cnf.py",
        "CNF",
        ":material/grain:",
        "Learning",
        "Press Play and watch a Gaussian rotate and spread into two moons, your drawing or a picture; click a particle "
        "to see why its density changes.",
    ),
)
