"""The classifiers: equal where they must be, seeded, and able to learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from node_core.data.dataset import DataConfig
from node_core.data.toy import make_dataset
from node_core.models.classifier import BlockClassifier, copy_weights, seeded_linear
from node_core.models.mlp import MLP
from node_core.models.odenet import ODENet, RKNet
from node_core.models.resnet import ResNet
from node_core.settings import SolverSettings

MODELS = {
    "ODENet": lambda seed: ODENet(2, 3, (8,), augment=1, seed=seed),
    "RKNet": lambda seed: RKNet(2, 3, (8,), steps=2, seed=seed),
    "ResNet": lambda seed: ResNet(2, 3, (8,), layers=3, seed=seed),
    "MLP": lambda seed: MLP(2, 3, (8,), seed=seed),
}


def points(n: int = 5, dim: int = 2) -> torch.Tensor:
    return torch.linspace(-1.5, 1.5, n * dim, dtype=torch.float64).sin().reshape(n, dim)


def strengthened(model: BlockClassifier, factor: float = 2.0) -> BlockClassifier:
    """Weights at initialisation are small: make the field bend, so that comparisons mean something."""
    with torch.no_grad():
        for parameter in model.fields.parameters():
            parameter.mul_(factor)
    return model.double()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_one_row_of_logits_a_point_and_gradients_to_all_its_weights(name: str) -> None:
    model = MODELS[name](0)
    logits = model(points(7).float())
    assert logits.shape == (7, 3)
    logits.square().sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_alone_decides_the_weights_and_the_global_generator_is_left_alone(name: str) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, again, other = MODELS[name](5), MODELS[name](5), MODELS[name](6)
    assert torch.equal(torch.get_rng_state(), state)
    pairs = zip(first.parameters(), again.parameters(), other.parameters(), strict=True)
    for a, b, c in pairs:
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_separate_layers_start_with_different_weights() -> None:
    model = ResNet(2, 2, (8,), layers=2)
    first, second = (next(iter(field.parameters())) for field in model.fields)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("time_dependent", [False, True])
@pytest.mark.parametrize("augment", [0, 2])
def test_a_shared_resnet_is_eulers_method_on_the_ode_net(time_dependent: bool, augment: int) -> None:
    layers = 64  # a power of two: h and all l h are exact
    resnet = ResNet(
        2, 2, (16,), layers, shared=True, augment=augment, time_dependent=time_dependent, t1=2.0, seed=3
    )
    strengthened(resnet)
    odenet = ODENet(
        2,
        2,
        (16,),
        augment,
        time_dependent=time_dependent,
        solver=SolverSettings("euler", dt=2.0 / layers),
        t1=2.0,
        seed=99,
    ).double()
    copy_weights(resnet, odenet)
    x = points()
    torch.testing.assert_close(resnet(x), odenet(x), rtol=1e-13, atol=1e-13)
    path = odenet.trajectory(x, layers + 1)
    torch.testing.assert_close(resnet.trajectory(x), path, rtol=1e-13, atol=1e-13)
    # ... and so are the gradients.
    resnet(x).square().sum().backward()
    odenet(x).square().sum().backward()
    for a, b in zip(resnet.parameters(), odenet.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-11, atol=1e-12)


def test_the_resnet_converges_to_the_ode_net_with_order_one() -> None:
    resnet = ResNet(2, 2, (16,), 8, shared=True, time_dependent=True, seed=3)
    strengthened(resnet)
    odenet = ODENet(2, 2, (16,), time_dependent=True, solver=SolverSettings(rtol=1e-11, atol=1e-11)).double()
    copy_weights(resnet, odenet)
    x = points(20)
    layers = [16, 32, 64, 128, 256]
    with torch.no_grad():
        exact = odenet(x)
        errors = [float((resnet.with_layers(n)(x) - exact).abs().max()) for n in layers]
    slope = np.polyfit(np.log(layers), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


def test_the_rk_net_converges_to_the_ode_net_with_order_four() -> None:
    odenet = ODENet(2, 2, (16,), solver=SolverSettings(rtol=1e-12, atol=1e-12), seed=3)
    strengthened(odenet)
    x = points(20)
    errors = []
    with torch.no_grad():
        for steps in (4, 8, 16):
            rknet = RKNet(2, 2, (16,), steps).double()
            copy_weights(odenet, rknet)
            assert rknet.classify(x).solution.stats.nfe == 4 * steps
            errors.append(float((rknet(x) - odenet(x)).abs().max()))
    slope = np.polyfit(np.log([4, 8, 16]), np.log(errors), 1)[0]
    assert slope == pytest.approx(-4, abs=0.4)


def test_refining_a_resnet_keeps_its_very_weights() -> None:
    resnet = ResNet(2, 2, (8,), 4, shared=True)
    fine = resnet.with_layers(40)
    assert fine.step == resnet.step / 10
    assert fine.field is resnet.field
    assert fine.head is resnet.head
    with pytest.raises(ValueError, match="shared=True"):
        ResNet(2, 2, (8,), 4).with_layers(8)


def test_a_resnet_with_separate_weights_can_start_as_the_shared_one() -> None:
    shared, separate = ResNet(2, 2, (8,), 3, shared=True, seed=1), ResNet(2, 2, (8,), 3, seed=2)
    copy_weights(shared, separate)
    x = points().float()
    torch.testing.assert_close(shared(x), separate(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    "target",
    [
        ODENet(2, 2, (9,)),
        ODENet(2, 3, (8,)),
        ODENet(2, 2, (8,), augment=1),
        ODENet(2, 2, (8,), activation="elu"),
        ODENet(2, 2, (8,), head="identity"),
    ],
)
def test_weights_are_only_copied_between_models_of_equal_shape(target: ODENet) -> None:
    with pytest.raises(ValueError, match="the models differ"):
        copy_weights(ODENet(2, 2, (8,)), target)


def test_many_blocks_are_not_squeezed_into_one() -> None:
    with pytest.raises(ValueError, match="3 blocks cannot be copied to 1"):
        copy_weights(ResNet(2, 2, (8,), 3), ODENet(2, 2, (8,)))


def test_parameter_counts_are_those_of_the_formula() -> None:
    block = (2 + 1) * 8 + (8 + 1) * 2
    head = (2 + 1) * 3
    assert ODENet(2, 3, (8,)).parameter_counts().total == block + head
    assert ResNet(2, 3, (8,), 5, shared=True).parameter_counts().block == block
    assert ResNet(2, 3, (8,), 5).parameter_counts().block == 5 * block
    counts = MLP(2, 3, (8, 8)).parameter_counts()
    assert (counts.block, counts.head) == ((2 + 1) * 8 + (8 + 1) * 8, (8 + 1) * 3)


def test_augmented_coordinates_start_at_zero_and_move() -> None:
    path = ODENet(2, 2, (8,), augment=1).trajectory(points().float(), 5)
    assert path.shape == (5, 5, 3)
    assert (path[0, :, 2] == 0).all()
    assert (path[-1, :, 2] != 0).all()


def test_a_trajectory_starts_at_the_points_and_ends_where_the_logits_are_read() -> None:
    x = points().float()
    for model in (ODENet(2, 2, (8,)), ResNet(2, 2, (8,), 4)):
        path = model.trajectory(x)
        torch.testing.assert_close(path[0], x)
        torch.testing.assert_close(model.read(path[-1]), model(x))


def test_classify_returns_the_solve_with_its_counts_forward_and_backward() -> None:
    model = ODENet(2, 2, (8,), solver=SolverSettings(gradient="adjoint"))
    logits, solution = model.classify(points().float())
    assert solution.stats.nfe > 0
    logits.sum().backward()
    assert solution.backward_stats is not None
    assert solution.backward_stats.nfe > 0


def test_another_solver_can_be_tried_without_touching_the_model() -> None:
    model = ODENet(2, 2, (8,), solver=SolverSettings("euler", dt=0.5), seed=3)
    strengthened(model)
    x = points()
    trained_with = model.classify(x)
    finer = model.classify(x, SolverSettings("rk4", dt=0.05))
    assert trained_with.solution.stats.nfe == 2
    assert finer.solution.stats.nfe == 80
    assert not torch.allclose(trained_with.logits, finer.logits, rtol=1e-6)
    assert model.solver.method == "euler"


def test_an_identity_head_returns_the_flow_map() -> None:
    model = ODENet(1, 1, (8,), augment=1, head="identity")
    x = torch.tensor([[-1.0], [1.0]])
    torch.testing.assert_close(model(x), model.trajectory(x)[-1, :, :1])


def test_a_seeded_linear_layer_has_the_range_of_torchs_own() -> None:
    layer = seeded_linear(100, 50, seed=0)
    assert layer.weight.abs().max() <= 0.1
    assert float(layer.weight.detach().std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ODENet(0, 2), "dim = 0"),
        (lambda: ODENet(2, 1), "n_classes = 1"),
        (lambda: ODENet(2, 2, augment=-1), "augment = -1"),
        (lambda: ODENet(2, 2, t1=0.0), "t1 = 0.0"),
        (lambda: SolverSettings("euler", dt=-1.0), "dt = -1.0"),
        (lambda: ODENet(2, 3, head="identity"), "must equal dim = 2"),
        (lambda: ODENet(2, 2, seed=-1), "seed = -1"),
        (lambda: ResNet(2, 2, layers=-1), "layers = -1"),
        (lambda: ResNet(2, 2, t1=-1.0), "t1 = -1.0"),
        (lambda: RKNet(2, 2, steps=0), "steps = 0"),
        (lambda: MLP(2, 2, ()), "hidden = "),
        (lambda: MLP(2, 2, activation="relu"), "activation = 'relu': choose one of tanh"),
        (lambda: ODENet(2, 2)(torch.zeros(4, 3)), "rows of 2 coordinates"),
        (lambda: MLP(2, 2)(torch.zeros(4, 3)), "rows of 2 coordinates"),
        (lambda: ODENet(2, 2).trajectory(torch.zeros(4, 2), 1), "times = 1"),
    ],
)
def test_a_bad_size_is_refused_with_its_value(make, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


def accuracy_after_training(model: nn.Module, name: str, iterations: int) -> float:
    """Test accuracy after full-batch Adam."""
    data = make_dataset(DataConfig(name, n=300, seed=1, test_fraction=0.3))
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(iterations):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x[data.train]), labels[data.train]).backward()
        optimiser.step()
    with torch.no_grad():
        return float((model(x[data.test]).argmax(1) == labels[data.test]).float().mean())


def test_an_ode_net_with_one_more_dimension_learns_two_circles() -> None:
    assert accuracy_after_training(ODENet(2, 2, (32,), augment=1), "circles", 60) > 0.95


def test_a_resnet_learns_two_circles() -> None:
    assert accuracy_after_training(ResNet(2, 2, (16,), layers=4), "circles", 100) > 0.95


def test_training_twice_from_one_seed_gives_the_same_weights() -> None:
    runs = []
    for _ in range(2):
        model = ODENet(2, 2, (8,), seed=2)
        accuracy_after_training(model, "moons", 5)
        runs.append(torch.cat([p.detach().ravel() for p in model.parameters()]))
    assert torch.equal(*runs)


def test_the_flow_of_a_line_cannot_flip_signs_but_with_one_more_dimension_it_can() -> None:
    data = make_dataset(DataConfig("sign_flip", n=40, noise=0.05))
    assert data.targets is not None
    x, targets = torch.from_numpy(data.x), torch.from_numpy(data.targets)
    losses = {}
    for augment in (0, 1):
        model = ODENet(1, 1, (16,), augment=augment, head="identity", time_dependent=True)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
        for _ in range(120):
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(model(x), targets)
            loss.backward()
            optimiser.step()
        losses[augment] = float(loss.detach())
    # Paths that cannot cross can do no better than send every point to 0.
    assert losses[0] > 0.9
    assert losses[1] < 0.1
