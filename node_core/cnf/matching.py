"""Flow matching: a continuous flow fitted by regression, with no ODE solved while it is trained.

A pair (z, x) of noise and data is joined by a straight path, and the field learns the velocity on it:

    z_t = (1 - s) z + s x,    s = (t - t0) / (t1 - t0),    min over theta of E |(t1 - t0) f(t, z_t) - (x - z)|^2

The best field is f(t, y) = E[x - z | z_t = y] / (t1 - t0), and its flow carries the noise to the data whatever the
pairs are, as long as each side alone is distributed as it should be. So it is the same field as that of a flow trained
by likelihood: `CNF.log_prob` and `CNF.sample` know no difference. Which pairs are joined says how straight it is.

Lipman et al. (2023), "Flow Matching for Generative Modeling", with sigma_min = 0; Liu et al. (2023), "Flow Straight and
Fast" (rectified flow); Tong et al. (2024), "Improving and Generalizing Flow-Based Generative Models with Minibatch
Optimal Transport".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from node_core.checks import check_whole
from node_core.cnf.continuous import CNF

BLOCK = 64
MAX_BLOCK = 1024
MAX_PAIRS = 200_000
_PART = 4_000  # paths solved at a time, so that memory does not grow with the number of pairs


class Pairs(NamedTuple):
    """Noise and data, row by row joined: both (n, dim)."""

    z: Tensor
    x: Tensor

    @property
    def cost(self) -> float:
        """The mean of |x - z|^2: what optimal transport makes small."""
        return float((self.x - self.z).square().sum(1).mean())


def flow_matching_loss(flow: CNF, pairs: Pairs, s: Tensor) -> Tensor:
    """The mean over the pairs of |(t1 - t0) f(t, z_t) - (x - z)|^2, differentiable: a scalar.

    Times are measured in the flow's own length, so that the loss is a squared distance whatever t1 is.

    Args:
        flow: its field must take a time for each row, (n, 1), as `MLPField` and `HypernetworkField` do.
        pairs: noise and data, (n, dim) each.
        s: where on its path each pair is looked at, (n,), from 0 (noise) to 1 (data).

    Raises:
        ValueError: shapes that do not fit.
    """
    z, x = pairs
    flow.check_points("z", z)
    flow.check_points("x", x)
    if len(z) != len(x) or s.shape != z.shape[:1]:
        raise ValueError(
            f"{len(z)} points of noise, {len(x)} of data and s of shape {tuple(s.shape)}: give one of each for a pair."
        )
    span, s = flow.t1 - flow.t0, s.to(z.dtype).unsqueeze(1)
    velocity = flow.field(flow.t0 + span * s, torch.lerp(z, x, s))
    return (span * velocity - (x - z)).square().sum(1).mean()


def spread_times(n: int, rng: np.random.Generator) -> Tensor:
    """N places s in [0, 1), each uniform, together evenly spread: (i + u) / n with one u for all, (n,) float32.

    The loss varies less than with independent ones (Kingma et al. 2021, "Variational Diffusion Models", appendix I.1).
    """
    return torch.from_numpy(((np.arange(n) + rng.random()) / n).astype(np.float32))


def independent_pairs(z: Tensor, x: Tensor) -> Pairs:
    """The pairs as they were drawn."""
    return Pairs(z, x)


def transport_pairs(z: Tensor, x: Tensor, block: int = BLOCK) -> Pairs:
    """The same points, joined so that in each block of rows the sum of |x - z|^2 is the least possible.

    Minibatch optimal transport (Tong et al. 2024, section 3.2). An assignment of n points takes a time of order n^3:
    512 points in blocks of 64 take a thirtieth of what they take at once, and straighten the flow as well.

    Args:
        z, x: noise and data, (n, dim) each.
        block: rows that are joined among themselves, 1 (none are changed) to 1,024.

    Raises:
        ValueError: another number of z than of x, or a block out of range.
    """
    check_whole("block", block, 1, MAX_BLOCK)
    if z.shape != x.shape:
        raise ValueError(
            f"z has shape {tuple(z.shape)}, x {tuple(x.shape)}: give as many of one as of the other."
        )
    order = []
    for start in range(0, len(z), block):
        a, b = (side[start : start + block].detach().double() for side in (z, x))
        # |x - z|^2 less what does not depend on who is joined to whom
        _, columns = linear_sum_assignment((-2.0 * a @ b.T).cpu().numpy())
        order.append(columns + start)
    return Pairs(z, x[torch.from_numpy(np.concatenate(order))] if order else x)


@torch.no_grad()
def reflow_pairs(flow: CNF, n: int, seed: int) -> Pairs:
    """Noise and where the flow carries it; learning them straightens the flow (Liu et al. 2023, section 2.2).

    Paths of a flow never cross, so that the straight lines between their ends hardly do: the field that learns them
    needs no mean over different velocities, and follows them as they are.

    Args:
        flow: the present one; it is solved as its settings say.
        n: how many, 1 to 200,000.
        seed: of the noise.

    Raises:
        ValueError: n out of range.
        SolveError: the solver gave up.
    """
    check_whole("n", n, 1, MAX_PAIRS)
    dtype = next((p.dtype for p in flow.parameters()), torch.get_default_dtype())
    z = flow.base.sample(n, seed, dtype)
    ends = [
        flow.solver.solve(flow.field, part, [flow.t0, flow.t1], dense=False).ys[-1] for part in z.split(_PART)
    ]
    return Pairs(z, torch.cat(ends))
