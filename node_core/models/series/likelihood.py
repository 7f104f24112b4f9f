"""Log likelihoods of observations, and how far a normal posterior is from the standard normal. All in nats."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
MAX_LOG_RATE = 15.0


class Normal(NamedTuple):
    """A normal with a diagonal covariance: mean and log of the standard deviation, both (..., dim)."""

    mean: Tensor
    log_std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Mean + std noise (Kingma and Welling 2014): differentiable by both; noise (..., dim) is standard normal."""
        return self.mean + self.log_std.exp() * noise

    def divergence(self) -> Tensor:
        """KL(this || standard normal) = sum (std^2 + mean^2 - 1) / 2 - log std, shape (...,)."""
        terms = 0.5 * ((2 * self.log_std).exp() + self.mean.square() - 1.0) - self.log_std
        return terms.sum(-1)


def normal_log_likelihood(predicted: Tensor, values: Tensor, mask: Tensor, noise: float) -> Tensor:
    """Sum over the observed values of log N(value; predicted, noise^2), shape (...,).

    Args:
        predicted, values, mask: (..., T, D); what stands where mask is False has no influence.
        noise: standard deviation, positive.
    """
    error = torch.where(mask, predicted - values, 0.0) / noise
    constant = math.log(noise) + _HALF_LOG_TWO_PI
    return -(0.5 * error.square() + constant * mask).sum((-2, -1))


def counts_log_likelihood(log_rate: Tensor, counts: Tensor, mask: Tensor, width: float) -> Tensor:
    """Sum over the observed counts of log Poisson(count; rate width), shape (...,).

    Args:
        log_rate: of events per unit of time, in the middle of their interval (..., T, D).
        counts: events in the intervals (..., T, D).
        mask: which were observed (..., T, D) bool.
        width: of the intervals, positive.
    """
    log_expected = log_rate.clamp(max=MAX_LOG_RATE) + math.log(width)
    n = torch.where(mask, counts, 0.0)
    terms = n * log_expected - log_expected.exp() - torch.lgamma(n + 1.0)
    return torch.where(mask, terms, 0.0).sum((-2, -1))


def events_log_likelihood(log_rate: Tensor, integral: Tensor) -> Tensor:
    """Log likelihood of events of an inhomogeneous Poisson process: sum log rate(t_i) - integral of the rate.

    Section 5.1 of Chen et al. 2018; the integral can be one more coordinate of the ODE.

    Args:
        log_rate: at the events (..., n).
        integral: of the rate over the time that was watched (...,).
    """
    return log_rate.sum(-1) - integral
