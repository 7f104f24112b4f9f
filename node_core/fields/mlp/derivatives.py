"""Jacobian and divergence of a fully connected net in closed form, and the gradient of the divergence.

With factors A_1 .. A_L (the weights times the activation's gain, A_1 without the time column) and the slopes
s_l (width, n) of the hidden layers, feature-major, the Jacobian of sample n is

    J = A_L diag(s_{L-1}) A_{L-1} ... diag(s_1) A_1

and its trace needs one product for one or two hidden layers, whatever the dimension:

    L = 2:  tr J = c^T s_1,              c = rowsum(A_1 o A_2^T)
    L = 3:  tr J = s_2^T M s_1,          M = A_2 o (A_1 A_3)^T
    L = 4:  tr J = sum_i A_4[i] diag(s_3) A_3 diag(s_2) A_2 diag(s_1) A_1[:, i]     (dim columns a sample)

Out-of-place torch operations only: autograd may run through `jacobian` and `divergence`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from node_core.fields.mlp.activations import Activation


def jacobian(factors: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """Jacobian J (dim_out, dim_in, n): the tangents of all inputs and samples, one product a layer."""
    dim, n = factors[0].shape[1], slopes[0].shape[1]
    tangents = factors[0].unsqueeze(2) * slopes[0].unsqueeze(1)
    for factor, slope in zip(factors[1:-1], slopes[1:], strict=True):
        tangents = (factor @ tangents.flatten(1)).view(factor.shape[0], dim, n) * slope.unsqueeze(1)
    return (factors[-1] @ tangents.flatten(1)).view(factors[-1].shape[0], dim, n)


def divergence(factors: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """Trace of J (n,) for one, two or three hidden layers."""
    if len(slopes) == 1:
        return (factors[0] * factors[1].T).sum(1) @ slopes[0]
    if len(slopes) == 2:
        core = factors[1] * (factors[0] @ factors[2]).T
        return (slopes[1] * (core @ slopes[0])).sum(0)
    dim, n = factors[0].shape[1], slopes[0].shape[1]
    first = factors[0].unsqueeze(2) * slopes[0].unsqueeze(1)
    second = (factors[1] @ first.flatten(1)).unflatten(1, (dim, n)) * slopes[1].unsqueeze(1)
    third = (factors[2] @ second.flatten(1)).unflatten(1, (dim, n))
    return (slopes[2] * (factors[3].T.unsqueeze(2) * third).sum(1)).sum(0)


class DivergenceGradient:
    """Trace of J and the gradient of sum_n w_n tr J_n with respect to the slopes and the factors.

    value     (n,)
    slopes    list of (width, n)
    factors   list shaped as the factors
    """

    def __init__(self, factors: Sequence[Tensor], slopes: Sequence[Tensor], w: Tensor) -> None:
        self.value: Tensor
        self.slopes: list[Tensor]
        self.factors: list[Tensor]
        (self._one, self._two, self._three)[len(slopes) - 1](factors, slopes, w)

    def _one(self, factors: Sequence[Tensor], slopes: Sequence[Tensor], w: Tensor) -> None:
        c = (factors[0] * factors[1].T).sum(1)
        self.value = c @ slopes[0]
        self.slopes = [torch.outer(c, w)]
        dc = slopes[0] @ w
        self.factors = [dc.unsqueeze(1) * factors[1].T, dc * factors[0].T]

    def _two(self, factors: Sequence[Tensor], slopes: Sequence[Tensor], w: Tensor) -> None:
        a1, a2, a3 = factors
        s1, s2 = slopes
        loop = (a1 @ a3).T
        core = a2 * loop
        image = core @ s1
        self.value = (s2 * image).sum(0)
        weighted = s2 * w
        self.slopes = [core.T @ weighted, image.mul_(w)]
        dcore = weighted @ s1.T
        dloop = (dcore * a2).T
        self.factors = [dloop @ a3.T, dcore * loop, a1.T @ dloop]

    def _three(self, factors: Sequence[Tensor], slopes: Sequence[Tensor], w: Tensor) -> None:
        a1, a2, a3, a4 = factors
        s1, s2, s3 = slopes
        dim, n = a1.shape[1], w.shape[0]
        # Forward: the tangents u of all input directions, (width, dim, n).
        u1 = a1.unsqueeze(2) * s1.unsqueeze(1)
        z2 = (a2 @ u1.flatten(1)).unflatten(1, (dim, n))
        u2 = z2 * s2.unsqueeze(1)
        z3 = (a3 @ u2.flatten(1)).unflatten(1, (dim, n))
        image = (a4.T.unsqueeze(2) * z3).sum(1)
        self.value = (s3 * image).sum(0)
        # Backward, in the same layout; the last layer only closes the trace: z3[:, i] meets row i of a4.
        weighted = s3 * w
        dz3 = a4.T.unsqueeze(2) * weighted.unsqueeze(1)
        du2 = (a3.T @ dz3.flatten(1)).unflatten(1, (dim, n))
        dz2 = du2 * s2.unsqueeze(1)
        du1 = (a2.T @ dz2.flatten(1)).unflatten(1, (dim, n))
        self.slopes = [(du1 * a1.unsqueeze(2)).sum(1), (du2 * z2).sum(1), image.mul_(w)]
        self.factors = [
            (du1 * s1.unsqueeze(1)).sum(2),
            dz2.flatten(1) @ u1.flatten(1).T,
            dz3.flatten(1) @ u2.flatten(1).T,
            (z3 * weighted.unsqueeze(1)).sum(2).T,
        ]


def layer_gradient(activation: Activation, delta: Tensor, h: Tensor, ones: Tensor) -> tuple[Tensor, Tensor]:
    """(dW, db) of a layer with input a = scale h + shift and cotangent delta: delta a^T and delta 1."""
    bias = torch.mv(delta, ones)
    if activation.shift == 0.0:
        return torch.mm(delta, h.T), bias
    weight = torch.addmm(bias.unsqueeze(1), delta, h.T, beta=activation.shift, alpha=activation.scale)
    return weight, bias
