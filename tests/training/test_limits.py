"""What the trainers' configurations share, and that they refuse what the front door would refuse later."""

from typing import Any

import pytest
import torch

from node_core.fields.mlp.mlp import MLPField
from node_core.gradients.names import GRADIENTS
from node_core.odeint import odeint
from node_core.solvers.methods import METHODS
from node_core.training.classifier.config import TrainConfig
from node_core.training.flow.config import CNFConfig
from node_core.training.limits import check_hidden, check_start


def accepts(make: Any, **values: Any) -> bool:
    try:
        make(**values)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("method", METHODS)
def test_a_solver_and_a_gradient_go_together_where_odeint_lets_them(method: str) -> None:
    dt = {} if METHODS[method].adaptive else {"dt": 0.25}
    for gradient in GRADIENTS:
        asked = {"method": method, "gradient": gradient}
        served = accepts(
            lambda **a: odeint(MLPField(2, (4,)), torch.ones(1, 2), [0.0, 0.5], **a), **asked, **dt
        )
        assert accepts(TrainConfig, **asked) == served, asked
        assert accepts(CNFConfig, **asked) == served, asked
        assert accepts(CNFConfig, flow="planar", **asked), asked


@pytest.mark.parametrize("kind", [TrainConfig, CNFConfig])
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"batch": 2.5}, "batch = 2.5: choose a whole number"),
        ({"iterations": True}, "iterations = True: choose a whole number"),
        ({"rtol": "1e-3"}, "rtol = '1e-3': choose"),
        ({"lr": None}, "lr = None: choose"),
        ({"hidden": (8.0,)}, "1 to 3 widths"),
        ({"activation": 3}, "activation 3 is unknown: choose one of tanh"),
        ({"gradient": "adjiont"}, "did you mean 'adjoint'"),
    ],
)
def test_a_value_of_another_kind_is_a_sentence(kind: Any, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        kind(**values)


@pytest.mark.parametrize("hidden", [(), (8,) * 4, (0,), (257,), (8, 2.0)])
def test_widths_that_no_net_can_have_are_refused(hidden: Any) -> None:
    with pytest.raises(ValueError, match="give 1 to 3 widths, each 1 to 256"):
        check_hidden(hidden)


def test_a_checkpoint_is_named_by_a_plain_word() -> None:
    check_start("two_moons-2")
    for name in ("../x", "a/b", "a.b", "x" * 65):
        with pytest.raises(ValueError, match="give a checkpoint's name"):
            check_start(name)
