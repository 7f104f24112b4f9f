"""Activations of MLPField, written so that their cost disappears into the neighbouring weights.

Every activation is  a(x) = scale * core(rate * x) + shift,  and its derivatives need h = core(rate * x)
                     alone:

    a'(x)  = gain * slope(h)
    a''(x) = gain * curvature(h, slope(h))        (so d slope / dx = curvature)

The constants rate, scale, shift and gain are multiplied into weights once a solve; elementwise work on h is
left. For tanh this matters: torch.tanh costs about four sigmoids on a CPU, and tanh(x) = 2 sigmoid(2 x) - 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Beyond this, softplus(x) - x < 1e-17: exact in float64. torch's own default of 20 is only exact in float32.
SOFTPLUS_THRESHOLD = 40.0


@dataclass(frozen=True)
class Activation:
    """a(x) = scale * core(rate * x) + shift, with derivatives in terms of h = core(rate * x).

    core        out of place and differentiable by autograd
    core_       the same in place
    slope       h -> a'(x) / gain
    curvature   (h, slope) -> a''(x) / gain
    backward_   (cotangent, h) -> cotangent * slope(h), in place in `cotangent`
    backward    (cotangent, h, out) -> the same into `out`; the cotangent may be broadcast
    bend        (x, h, out) -> x * d log slope / d(rate x) into `out`, so that curvature = rate * bend(slope); x may be
                broadcast, or be `out` itself
    """

    name: str
    rate: float
    scale: float
    shift: float
    gain: float
    core: Callable[[Tensor], Tensor]
    core_: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor, Tensor], Tensor]
    backward_: Callable[[Tensor, Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    bend: Callable[[Tensor, Tensor, Tensor], Tensor]


def _sigmoid_slope(h: Tensor) -> Tensor:
    return torch.addcmul(h, h, h, value=-1.0)


def _sigmoid_curvature(h: Tensor, slope: Tensor) -> Tensor:
    # d slope / dx = (1 - 2 h) dh/dx and dh/dx = rate * slope = 2 slope
    # As slope - 2 slope h, doubled: two passes over memory instead of three.
    return torch.addcmul(slope, slope, h, value=-2.0).mul_(2.0)


def _sigmoid_backward_(cotangent: Tensor, h: Tensor) -> Tensor:
    return torch.ops.aten.sigmoid_backward.grad_input(cotangent, h, grad_input=cotangent)


def _sigmoid_backward(cotangent: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return torch.ops.aten.sigmoid_backward.grad_input(cotangent, h, grad_input=out)


def _sigmoid_bend(x: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return torch.addcmul(x, x, h, value=-2.0, out=out)


def _softplus(x: Tensor) -> Tensor:
    return torch.nn.functional.softplus(x, 1.0, SOFTPLUS_THRESHOLD)


def _softplus_(x: Tensor) -> Tensor:
    return torch.ops.aten.softplus.out(x, 1.0, SOFTPLUS_THRESHOLD, out=x)


def _softplus_slope(h: Tensor) -> Tensor:
    # sigmoid(x) = 1 - exp(-softplus(x)); expm1 is accurate at both ends. The minus sign is in the gain.
    return torch.expm1(-h)


def _softplus_curvature(h: Tensor, slope: Tensor) -> Tensor:
    return torch.addcmul(slope, slope, slope)


def _softplus_backward_(cotangent: Tensor, h: Tensor) -> Tensor:
    return cotangent.mul_(torch.neg(h).expm1_())


def _softplus_backward(cotangent: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return torch.mul(cotangent, torch.neg(h).expm1_(), out=out)


def _softplus_bend(x: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return torch.mul(x, torch.neg(h).exp_(), out=out)


def _elu_slope(h: Tensor) -> Tensor:
    return h.clamp(max=0.0) + 1.0


def _elu_curvature(h: Tensor, slope: Tensor) -> Tensor:
    return slope * (h < 0.0)


def _elu_backward_(cotangent: Tensor, h: Tensor) -> Tensor:
    return cotangent.mul_(h.clamp(max=0.0).add_(1.0))


def _elu_backward(cotangent: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return torch.mul(cotangent, h.clamp(max=0.0).add_(1.0), out=out)


def _elu_bend(x: Tensor, h: Tensor, out: Tensor) -> Tensor:
    return torch.mul(x, h < 0.0, out=out)


TANH = Activation(
    "tanh",
    rate=2.0,
    scale=2.0,
    shift=-1.0,
    gain=4.0,
    core=torch.sigmoid,
    core_=torch.sigmoid_,
    slope=_sigmoid_slope,
    curvature=_sigmoid_curvature,
    backward_=_sigmoid_backward_,
    backward=_sigmoid_backward,
    bend=_sigmoid_bend,
)
SOFTPLUS = Activation(
    "softplus",
    rate=1.0,
    scale=1.0,
    shift=0.0,
    gain=-1.0,
    core=_softplus,
    core_=_softplus_,
    slope=_softplus_slope,
    curvature=_softplus_curvature,
    backward_=_softplus_backward_,
    backward=_softplus_backward,
    bend=_softplus_bend,
)
ELU = Activation(
    "elu",
    rate=1.0,
    scale=1.0,
    shift=0.0,
    gain=1.0,
    core=torch.nn.functional.elu,
    core_=torch.nn.functional.elu_,
    slope=_elu_slope,
    curvature=_elu_curvature,
    backward_=_elu_backward_,
    backward=_elu_backward,
    bend=_elu_bend,
)

ACTIVATIONS: dict[str, Activation] = {a.name: a for a in (TANH, SOFTPLUS, ELU)}
