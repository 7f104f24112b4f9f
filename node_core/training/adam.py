"""Adam on one flat vector (Kingma and Ba 2015): five operations, whatever the number of layers."""

from __future__ import annotations

import math

from torch import Tensor

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # the paper's constants


def adam_step(
    flat: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, iteration: int, lr: float
) -> None:
    """One update, in place.

    Args:
        flat: the weights.
        mean, square: running means of the gradient and of its square, zero at the start.
        gradient: of the loss by the weights.
        iteration: updates made before this one.
        lr: learning rate.
    """
    step = iteration + 1
    mean.lerp_(gradient, 1 - BETA_1)
    square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    scale = math.sqrt(1 - BETA_2**step)
    rate = lr * scale / (1 - BETA_1**step)
    flat.addcdiv_(mean, square.sqrt().add_(EPSILON * scale), value=-rate)


def annealed(lr: float, lr_end: float, progress: float) -> float:
    """A learning rate on its way from lr (progress 0) to lr * lr_end (progress 1 and later), along half a cosine.

    Loshchilov and Hutter (2017), "SGDR", equation 5, without restarts.
    """
    return lr * (lr_end + (1 - lr_end) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
