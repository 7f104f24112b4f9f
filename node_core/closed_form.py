"""Whether a solve is made by the field's own derivatives, written by hand, and why not where it is not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from node_core.arguments.asked import Asked
from node_core.fields.lift.lift import Lifted, lift
from node_core.fields.own import has_closed_form
from node_core.gradients.names import CONTINUOUS

SHORT = 8  # evaluations of a field, up to which its closed form does not pay (benchmarks/series.py)


def against_closed_form(asked: Asked, timed: bool, tangents: bool) -> str:
    """What is asked for that no closed form serves, in a sentence; else empty."""
    for settings in (asked.settings, asked.backward or asked.settings):
        if settings.method.family != "explicit":
            return f"a closed form serves the explicit methods, not method={settings.method.name!r}"
    if asked.batch != "shared":
        return "a closed form goes one way for the whole batch, not one for each row (batch='per_sample')"
    if timed:
        return "a closed form knows no two sides of a jump"
    if tangents:
        return "a closed form carries no tangents of forward-mode differentiation"
    if _is_short(asked):
        return f"a solve of at most {SHORT} evaluations is over before a closed form is made"
    return ""


def closed_form_of(asked: Asked, params: Sequence[Tensor]) -> Lifted | str:
    """The field with a closed form that f is, with what to differentiate it by; or why there is none."""
    if not has_closed_form(asked.f, "compiled"):
        return _lifted(asked, params) if asked.lift else "lift=False says to call f as it is"
    own = tuple(asked.f.parameters()) if isinstance(asked.f, nn.Module) else ()
    if params and not _are_the_same(own, params):
        return "a closed form has the derivatives by all parameters of f, and others are asked for"
    if not all(p.dtype == asked.y0.dtype and p.device == asked.y0.device for p in own):
        return "the parameters of f are of another type, or on another device, than y0"
    return Lifted(asked.f, tuple(params))


def _lifted(asked: Asked, params: Sequence[Tensor]) -> Lifted | str:
    """The field that a module is, where its derivatives by its parameters are all that is asked for."""
    if _is_short(asked, recorded_only=False):
        return f"a solve of at most {SHORT} evaluations is over before f is looked at"
    found = lift(asked.f, asked.y0, params)
    if isinstance(found, str):
        return found
    if asked.record_adjoint and not _are_the_same(found.params, params):
        return "record_adjoint shows the gradient by the parameters in their order, in which a closed form has others"
    if asked.gradient in CONTINUOUS and sum(p.numel() for p in found.params) != sum(
        p.numel() for p in params
    ):
        return (
            "a continuous adjoint measures the gradient that is asked for, and a closed form has more of it"
        )
    return found


def _are_the_same(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def _is_short(asked: Asked, recorded_only: bool = True) -> bool:
    """Whether autograd is through before a closed form's weights are laid out: a few fixed steps, as of an ODE-RNN."""
    dt, tableau = asked.settings.dt, asked.settings.method.tableau
    if dt is None or tableau is None or asked.gradient != "backprop" or asked.record_adjoint:
        return False
    if recorded_only and not torch.is_grad_enabled():
        return False
    length = abs(asked.times[-1] - asked.times[0])
    steps = (
        len(dt) if isinstance(dt, tuple) else math.ceil(length / dt) if math.isfinite(length) else SHORT + 1
    )
    return steps * tableau.stages <= SHORT
