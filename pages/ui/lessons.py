"""The one list of the lessons: navigation and the cards of the first page are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """A page of the dashboard.

    `path` is relative to the folder of `app.py`; `section` is its heading in the sidebar; `question` is what the
    lesson answers, and stands under its title; `teaser` says in a sentence what can be found out there.
    """

    path: str
    title: str
    icon: str
    section: str
    question: str
    teaser: str


HOME = Lesson(
    "pages/home.py",
    "Home",
    ":material/home:",
    "Start",
    "What is a Neural ODE?",
    "What a Neural ODE is, in one picture.",
)

LESSONS = (
    Lesson(
        "pages/resnets.py",
        "ResNets to ODEs",
        ":material/stairs:",
        "Foundations",
        "What happens when a network gets ever more layers, and each does ever less?",
        "Add layers to a residual network until its jumps become the curves of an ODE, and measure how fast.",
    ),
    Lesson(
        "pages/solvers.py",
        "Solvers",
        ":material/timeline:",
        "Foundations",
        "How does a solver find its way, and what does each step cost?",
        "Race Euler against Runge-Kutta and adaptive stepping: watch one spiral out or explode while another "
        "shortens its steps exactly where the field bends.",
    ),
    Lesson(
        "pages/adjoint.py",
        "Adjoint",
        ":material/undo:",
        "Foundations",
        "How does a gradient find its way back through a solver, and when does it lose it?",
        "Watch the gradient flow backward through the solver, find out what each way back costs, and see the "
        "adjoint method lose its way.",
    ),
    Lesson(
        "pages/odenet.py",
        "ODE-Net",
        ":material/blur_on:",
        "Learning",
        "Can a flow learn to untangle data, and how hard does its solver have to work?",
        "Press Play and watch a learned flow untangle your data while its solver works harder and harder; turn the "
        "tolerance, the learning rate or the solver while it trains.",
    ),
    Lesson(
        "pages/architectures.py",
        "Architectures",
        ":material/table_chart:",
        "Learning",
        "What does a net lose, and what does it save, when its layers become one flow?",
        "Train the paper's Table 1 side by side on handwritten digits: watch which net errs how often, with how many "
        "parameters, and at what price in time and memory.",
    ),
    Lesson(
        "pages/cnf.py",
        "CNF",
        ":material/grain:",
        "Learning",
        "How does a flow turn noise into any density, and know how likely each point is?",
        "Press Play and watch a Gaussian rotate and spread into two moons, your drawing or a picture; click a particle "
        "to see why its density changes.",
    ),
    Lesson(
        "pages/series.py",
        "Time series",
        ":material/show_chart:",
        "Learning",
        "How does a curve go on between observations that come when they like, and after the last?",
        "Watch a latent ODE learn spirals, furs and CO2 from irregular observations; take some away with a click and "
        "see what the curve makes of the rest, beside straight lines, a spline and a recurrent net.",
    ),
    Lesson(
        "pages/control.py",
        "Control",
        ":material/joystick:",
        "Learning",
        "Can a gradient that flows through a solver teach a net to balance a pole?",
        "Watch a net learn to swing a pendulum up and to balance a cart-pole, push the pole with the mouse and see it "
        "answer, and find out why a long horizon teaches nothing at first.",
    ),
    Lesson(
        "pages/limits.py",
        "Limits",
        ":material/balance:",
        "Looking back",
        "What are Neural ODEs bad at, what helps, and what do they buy?",
        "Six things that go wrong, each measured on a net of these lessons, with its remedy a click away; and beside "
        "them what continuous depth buys.",
    ),
)
"""In the order of the lecture."""


def lesson_titled(title: str) -> Lesson:
    """The lesson with this title.

    Raises:
        ValueError: there is none in the list.
    """
    for lesson in LESSONS:
        if lesson.title == title:
            return lesson
    raise ValueError(f"There is no lesson {title!r}: add it to LESSONS.")


def neighbours(path: str) -> tuple[Lesson | None, Lesson | None]:
    """The pages before and after the one at `path`, the first page included; None at either end."""
    order = (HOME, *LESSONS)
    here = next((i for i, lesson in enumerate(order) if lesson.path == path), None)
    if here is None:
        return None, None
    return (order[here - 1] if here else None), (order[here + 1] if here + 1 < len(order) else None)
