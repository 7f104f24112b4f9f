"""In which number type f is told the time.

The solver counts time in float64. f gets it in the type of the state, so that both can be put together; but where |t|
is large beside the time span, that type may not tell the times of a solve apart: float32 knows no time between
1,700,000,000 and 1,700,000,128. There f gets it in float64, which does no harm as long as f only calculates with it: a
0-d tensor of float64 leaves a state of float32 what it is. An f that cannot take it so is told to count time from the
start.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from node_core.arguments import Asked
from node_core.fields.own import is_autonomous, own_word
from node_core.solvers.problem import CountedField, TensorTime

# Times count as large from this many time spans on.
LARGE = 8.0
# A type with fewer times than this within the span cannot serve any solve.
FEWEST_TIMES = 1e4


class TimeType(NamedTuple):
    """The types of the time that the field and the event function are told, and how often f was tried to find out."""

    field: torch.dtype
    event: torch.dtype
    trials: int = 0


def time_type(asked: Asked) -> TimeType:
    """Choose them.

    Raises:
        ValueError: no type that f takes can tell the times of ts apart.
    """
    kind = asked.y0.dtype
    blurs = kind != torch.float64 and _blurs(asked, kind)
    event = torch.float64 if blurs else kind
    if own_word(asked.f, "accepts_float_time"):
        # A module puts the time together with its parameters, whatever it was told.
        _refuse_coarse(asked, kind if isinstance(asked.f, torch.nn.Module) else torch.float64)
        return TimeType(torch.float64, event)
    tried = blurs and asked.batch == "shared"
    field = torch.float64 if tried and _takes_float64(asked) else kind
    _refuse_coarse(asked, field)
    return TimeType(field, event, int(tried))


def _size(asked: Asked) -> tuple[float, float]:
    """The largest time, and the time span."""
    first, last = asked.times[0], asked.times[-1]
    return max(abs(first), abs(last)), abs(last - first)


def _blurs(asked: Asked, kind: torch.dtype) -> bool:
    """Whether the rounding of t to this type can be felt: beside the tolerance, or beside a fixed step."""
    largest, span = _size(asked)
    settings = asked.settings
    felt = settings.rtol * span if settings.dt is None else 1e-3 * settings.dt
    return largest > LARGE * span and torch.finfo(kind).eps * largest > felt


def _takes_float64(asked: Asked) -> bool:
    """Whether f answers to a time of float64 with a result of the state's type."""
    trial = CountedField(TensorTime(asked.f, asked.y0, torch.float64), asked.y0)
    try:
        with torch.no_grad():
            trial(asked.times[0], asked.y0.detach().clone())
    except (ValueError, TypeError, RuntimeError):
        return False
    return True


def _refuse_coarse(asked: Asked, kind: torch.dtype) -> None:
    largest, span = _size(asked)
    spacing = torch.finfo(kind).eps * largest
    if largest > LARGE * span and spacing * FEWEST_TIMES > span and not is_autonomous(asked.f):
        more = "" if kind == torch.float64 else ", or give y0 (and f) more digits with y0.double()"
        raise ValueError(
            f"f is told the time in {kind}, which cannot tell the times of ts apart: near {largest:.10g} they are "
            f"{spacing:.2g} apart, and ts spans {span:.3g}. Count time from the start, ts - ts[0], and let f add what "
            f"it needs of ts[0]{more}"
        )
