"""The peer: a continuous normalizing flow as torchdiffeq's examples/cnf.py makes it, at the weights of our own fields.

The field's value by plain torch operations, its trace by one autograd pass a dimension, the state a tuple (z, log p),
from t1 back to t0 (written anew from that example's formulas; torchdiffeq itself does the solving).
"""

from __future__ import annotations

from typing import Any

import torch
import torchdiffeq
from torch import Tensor, nn

from node_core.cnf.hypernetwork import HypernetworkField
from node_core.fields.mlp.mlp import MLPField


class PeerMLP(nn.Module):
    """An MLP field as one writes it with nn.Linear and nn.Tanh."""

    def __init__(self, field: MLPField) -> None:
        super().__init__()
        p = list(field.parameters())
        layers: list[nn.Module] = []
        for weight, bias in zip(p[::2], p[1::2], strict=True):
            linear = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=weight.dtype)
            with torch.no_grad():
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            layers += [linear, nn.Tanh()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """The value f(z)."""
        return self.net(z)


class PeerHypernetwork(nn.Module):
    """The paper's field, its weights W, B, U from a net of t, evaluated with one batched product a side."""

    def __init__(self, field: HypernetworkField) -> None:
        super().__init__()
        self.dim, self.width = field.dim, field.width
        p = list(field.parameters())
        layers = []
        for weight, bias in zip(p[::2], p[1::2], strict=True):
            linear = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=weight.dtype)
            with torch.no_grad():
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            layers.append(linear)
        self.fc1, self.fc2, self.fc3 = layers

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """The value f(t, z)."""
        out = self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(t.reshape(1, 1)))))).reshape(-1)
        block = self.width * self.dim
        w = out[:block].reshape(self.width, self.dim, 1)
        u = out[block : 2 * block].reshape(self.width, 1, self.dim)
        gate = out[2 * block : 3 * block].reshape(self.width, 1, self.dim)
        b = out[3 * block :].reshape(self.width, 1, 1)
        states = z.unsqueeze(0).repeat(self.width, 1, 1)
        h = torch.tanh(torch.matmul(states, w) + b)
        return torch.matmul(h, u * torch.sigmoid(gate)).mean(0)


class PeerFlow(nn.Module):
    """(t, (z, log p)) -> (f, -tr df/dz), the trace by autograd."""

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field = field
        self.nfe = 0

    def forward(self, t: Tensor, states: Any) -> tuple[Tensor, Tensor]:
        """The augmented value."""
        self.nfe += 1
        z = states[0]
        with torch.set_grad_enabled(True):
            z.requires_grad_(True)
            dz = self.field(t, z)
            trace: Any = 0.0
            for i in range(z.shape[1]):
                trace = (
                    trace
                    + torch.autograd.grad(dz[:, i].sum(), z, create_graph=True)[0]
                    .contiguous()[:, i]
                    .contiguous()
                )
        return dz, -trace.view(-1, 1)


def peer_of(field: nn.Module) -> PeerFlow:
    """The peer of one of our fields, at equal weights."""
    if isinstance(field, HypernetworkField):
        return PeerFlow(PeerHypernetwork(field))
    assert isinstance(field, MLPField)
    return PeerFlow(PeerMLP(field))


def peer_nll(flow: PeerFlow, x: Tensor, t1: float, tolerance: float, adjoint: bool = False) -> Tensor:
    """Mean negative log-likelihood of x under the peer, base N(0, I)."""
    solve = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint
    z, delta = solve(
        flow,
        (x, x.new_zeros(len(x), 1)),
        torch.tensor([t1, 0.0], dtype=x.dtype),
        rtol=tolerance,
        atol=tolerance,
        method="dopri5",
    )
    base = torch.distributions.MultivariateNormal(
        x.new_zeros(x.shape[1]), torch.eye(x.shape[1], dtype=x.dtype)
    )
    return -(base.log_prob(z[-1]) - delta[-1].view(-1)).mean()
