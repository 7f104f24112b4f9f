"""What comes from the habits of another library: names of arguments, and fields called in another order.

Said in this library's words. Nothing here is looked at while a solve goes well.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection
from typing import Any

# Arguments of torchdiffeq, SciPy, diffrax and torchode, and what to pass here.
_ARGUMENTS = {
    "options": "pass what it holds by itself: step_size as dt=, first_step as dt0=, max_step=, max_num_steps as "
    "max_steps=, jump_t as jumps=",
    "step_size": "it is called dt",
    "first_step": "it is called dt0",
    "max_num_steps": "it is called max_steps",
    "jump_t": "it is called jumps",
    "t": "it is called ts",
    "t_eval": "pass these times as ts; between them, call the solution",
    "t_span": "it is called ts",
    "saveat": "pass these times as ts; between them, call the solution",
    "event_fn": "it is called event",
    "events": "pass one as event=",
    "dense_output": "it is called dense",
    "jac": "it is called jacobian",
    "Dfun": "it is called jacobian",
    "args": "give the field its own, for example lambda t, y: f(t, y, *args)",
    "func": "the field comes first: odeint(f, y0, ts)",
    "fun": "the field comes first: odeint(f, y0, ts)",
    "adjoint_params": "it is called params",
    "adjoint_method": "the way back is solved by the method of the way forth; gradient= chooses it",
    "adjoint_rtol": "the way back has the tolerance of the way forth",
    "adjoint_atol": "the way back has the tolerance of the way forth",
    "adjoint_options": "the way back has the options of the way forth; gradient='adjoint_seminorm' is its seminorm",
    "adjoint": "pass gradient='adjoint'",
    "batch_size": "pass the batch as y0 of shape (batch, dim)",
    "stepsize_controller": "pass rtol= and atol=, and controller='pid' if you like",
}


def refuse_arguments(names: Collection[str], known: Collection[str]) -> None:
    """Refuse arguments that `odeint` does not have.

    Raises:
        TypeError: with what is meant by it here, or what comes close.
    """
    for name in names:
        near = difflib.get_close_matches(name, known, n=1)
        meant = _ARGUMENTS.get(name) or (
            f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        )
        raise TypeError(f"odeint has no argument {name!r}: {meant}")


def check_order(f: Callable[..., Any]) -> None:
    """Refuse a field that says it is f(y, t), the order of scipy.integrate.odeint: it would be told t for y.

    Raises:
        ValueError: the second of its arguments is called t, and the first is not.
    """
    method = getattr(type(f), "forward", None) or getattr(f, "__func__", None)
    code = getattr(f if method is None else method, "__code__", None)
    if code is None:
        return
    names = code.co_varnames[method is not None : code.co_argcount]
    if names[1:2] == ("t",) and names[0] != "t":
        raise ValueError(
            f"f is a function of ({names[0]}, t), but it is called as f(t, y): pass lambda t, y: f(y, t)"
        )


def explain_calls(functions: dict[str, Any], error: TypeError) -> None:
    """Say of a function that does not take (t, y) that it has to.

    Raises:
        ValueError: from the error that calling it gave.
    """
    for name, function in functions.items():
        if function is None:
            continue
        try:
            signature = inspect.signature(getattr(function, "forward", function))
        except (TypeError, ValueError):  # some that are written in C have none
            continue
        try:
            signature.bind(0.0, 0.0)
        except TypeError:
            only_y = len(signature.parameters) == 1
            remedy = f"pass lambda t, y: {name}(y)" if only_y else f"pass a function {name}(t, y)"
            takes = ", ".join(signature.parameters)
            raise ValueError(
                f"{name} takes ({takes}), but it is called as {name}(t, y), with the time and the state: {remedy}"
            ) from error
