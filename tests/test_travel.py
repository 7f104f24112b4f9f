"""Results travel: a solution, and an error with what it holds, can be pickled and copied, whatever the field is."""

import copy
import pickle

import pytest
import torch

from node_core import MLPField, SolveError, odeint

METHODS = [
    ("euler", {"dt": 0.1}),
    ("rk4", {"dt": 0.1}),
    ("bosh3", {}),
    ("dopri5", {}),
    ("dopri8", {}),
    ("trapezoid", {"dt": 0.1}),
    ("rodas5p", {}),
    ("scipy_lsoda", {}),
    ("scipy_radau", {}),
    ("scipy_adams", {}),
]


@pytest.mark.parametrize(("method", "options"), METHODS, ids=[name for name, _ in METHODS])
@pytest.mark.parametrize("end", [3.0, -2.0])
@pytest.mark.parametrize("rows", [(), (2,)])
def test_a_solution_travels_with_its_dense_output(method, options, end, rows):
    y0 = torch.linspace(0.5, 1.5, 2, dtype=torch.float64).expand(*rows, 2).contiguous()
    sol = odeint(lambda t, y: torch.sin(3 * t) - y.flip(-1), y0, [0.0, end], method=method, **options)
    times = torch.linspace(0.0, end, 57)
    for again in (pickle.loads(pickle.dumps(sol)), copy.deepcopy(sol)):
        torch.testing.assert_close(again(times), sol(times), rtol=1e-11, atol=1e-11)
        assert torch.equal(again.ys, sol.ys)
        assert again.stats == sol.stats
        assert again.steps.t.tolist() == sol.steps.t.tolist()
        with pytest.raises(ValueError, match="outside"):
            again(end + end)
    twice = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(sol))))
    torch.testing.assert_close(twice(times), sol(times), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("gradient", ["backprop", "checkpointed", "adjoint"])
def test_gradients_stay_behind(gradient):
    field = MLPField(2, (8,))
    sol = odeint(field, torch.ones(3, 2), [0.0, 1.0], gradient=gradient, dense=True)
    again = pickle.loads(pickle.dumps(sol))
    assert sol.ys.requires_grad
    assert not again.ys.requires_grad
    torch.testing.assert_close(again(0.3), sol(0.3).detach())
    sol.ys.sum().backward()
    assert pickle.loads(pickle.dumps(sol)).backward_stats == sol.backward_stats


def test_an_error_travels_with_the_partial_solution():
    with pytest.raises(SolveError) as caught:
        odeint(lambda t, y: y**2, torch.ones(1, dtype=torch.float64), [0.0, 0.5, 2.0])
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert caught.value.solution is not None
    assert torch.equal(again.solution.ys, caught.value.solution.ys)


def test_a_solve_that_ends_at_its_start_travels():
    sol = odeint(lambda t, y: -y, torch.zeros(1), [0.0, 1.0], event=lambda t, y: y[0])
    assert pickle.loads(pickle.dumps(sol))(0.0).tolist() == [0.0]
