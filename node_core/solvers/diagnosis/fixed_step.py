"""A fixed step that is too long: what a method with steps of its own makes of the same problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from node_core.solution import Cause, Status, StepLog
from node_core.solvers.controllers import controller_named
from node_core.solvers.diagnosis.blow_up import overflow
from node_core.solvers.diagnosis.scene import Finding, Scene, flat
from node_core.solvers.diagnosis.spectrum import rates, reach
from node_core.solvers.loop import Limits
from node_core.solvers.methods import method_named
from node_core.solvers.problem import Problem, Settings
from node_core.solvers.solve import solve

ATTEMPTS = 120
RTOL = 1e-4


def too_long(
    scene: Scene, problem: Problem, faults: tuple[Callable[[Scene], Finding | None], ...]
) -> Finding | None:
    """Whether an adaptive method passes where the fixed steps ended; else what `faults` find where it stops too."""
    if scene.status not in (Status.NON_FINITE, Status.NO_CONVERGENCE):
        return None
    try:
        followed = _follow(scene, problem)
    except (
        ArithmeticError,
        ValueError,
        RuntimeError,
    ):  # a state that is too large for that method's matrices
        followed = scene
    if followed is not scene and not followed.status.ok:
        for fault in faults:
            found = fault(followed)
            if found is not None:
                return found
    found = _unstable(scene, problem, followed)
    lost = not followed.status.ok and found.numbers["share"] <= 1.0
    return (overflow(scene) if lost else None) or found


def _follow(scene: Scene, problem: Problem) -> Scene:
    """The same solved as far as the fixed steps came, by an adaptive method and few attempts."""
    h = abs(float(scene.log.dt[-1]))
    reached = scene.t + scene.direction * h
    stop = min(reached, scene.end) if scene.direction > 0 else max(reached, scene.end)
    method = method_named("dopri5" if problem.settings.method.family == "explicit" else "rodas5p")
    atol = RTOL * max(float(np.abs(flat(problem.y0)).max()), 1e-3)
    settings = Settings(
        method=method,
        rtol=RTOL,
        atol=atol,
        controller=controller_named("pi"),
        limits=Limits(ATTEMPTS),
        jacobian=problem.settings.jacobian,
    )
    asked = lambda t, y: scene.ask.tensor(t, flat(y))  # noqa: E731
    found = solve(
        replace(problem, f=asked, y0=problem.y0.detach(), ts=(scene.start, stop), settings=settings)
    )
    y = flat(problem.y0 if found.y_end is None else found.y_end)
    log = StepLog.from_rows(found.rows)
    return Scene(
        scene.ask, scene.shape, found.t_end, y, log, found.status, settings, scene.start, stop, scene.first
    )


def _unstable(scene: Scene, problem: Problem, followed: Scene) -> Finding:
    method, h = problem.settings.method, abs(float(scene.log.dt[-1]))
    worst, share = 0j, 0.0
    for at in (replace(scene, t=scene.start, y=scene.first), followed):
        found = rates(at)
        for z in () if found is None else h * found[(found.real < 0) & (np.abs(found) > 0)]:
            limit = reach(method, z / abs(z))
            if abs(z) / limit > share:
                worst, share = complex(z), abs(z) / limit
    if share > 1.0:
        shorter = float(f"{0.8 * h / share:.1g}")
        why = (
            f"h lambda = {worst.real:.3g} +- {abs(worst.imag):.3g}i lies outside of the region of stability of "
            f"{method.name}, which ends at {abs(worst) / share:.3g} from 0, so that what should decay is amplified"
        )
    else:
        shorter = float(f"{h / 4:.1g}")
        why = "between its steps the field bends too much for it"
        if scene.status is Status.NO_CONVERGENCE:
            why = "Newton's iteration does not find the end of so long a step"
    passed = "passes there" if followed.status.ok else "finds no singularity on the way there"
    count = scene.span / shorter
    many = count > problem.settings.limits.max_steps
    adaptive = "rodas5p" if method.stiff or many or followed.log.n_accepted >= ATTEMPTS // 2 else "dopri5"
    changes = {"method": adaptive, "dt": None} if many else {"dt": shorter}
    return Finding(
        Cause.STEP_TOO_LONG,
        f"the fixed step dt = {h:g} is too long: {why}; a method with steps of its own {passed}",
        {"dt": h, "h_lambda": abs(worst), "share": share},
        f"take a smaller dt than {h:.4g}, {shorter:g} say, or an adaptive method ({adaptive!r})",
        changes,
    )
