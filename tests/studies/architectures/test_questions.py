"""What is asked of trained nets: each answer against one found another way."""

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from node_core.data.images import ImageData
from node_core.settings import SolverSettings
from node_core.studies.architectures import digit, hardest, layers, swap
from node_core.studies.architectures.net import trained_net
from node_core.studies.architectures.questions_config import (
    DigitConfig,
    HardestConfig,
    LayersConfig,
    Net,
    SwapConfig,
    weights_of,
)
from node_core.training.images import build
from node_core.training.images.config import ImagesConfig
from node_core.training.images.train import ImageTrainer

SMALL = ImagesConfig(
    data=ImageData(train=300, test=60), hidden=16, channels=4, batch=50, iterations=40, lr=0.02
)
CROSS = (((0.2, 0.1), (0.8, 0.9)), ((0.8, 0.1), (0.2, 0.9)))
RING = (tuple((0.5 + 0.25 * math.cos(a / 4), 0.5 + 0.4 * math.sin(a / 4)) for a in range(27)),)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TIME_LIMIT", 600.0)


def net(**changes: Any) -> Net:
    config = replace(SMALL, **changes)
    trainer = ImageTrainer(config)
    while trainer.iteration < config.iterations:
        trainer.iterate()
    return Net(config, weights_of(pickle.dumps(trainer.export())))


@pytest.fixture(scope="module")
def odenet() -> Net:
    return net()


def test_weights_of_a_run_are_those_that_training_here_gives(odenet: Net) -> None:
    given, here = trained_net(odenet), trained_net(Net(SMALL))
    for a, b in zip(given.model.parameters(), here.model.parameters(), strict=True):
        assert torch.equal(a, b)
    begun = Net(ImagesConfig(kind="conv", model="resnet", layers=0, start="conv_none"))
    model, _, x, labels = trained_net(begun)
    assert float((model(x).argmax(1) == labels).float().mean()) > 0.98


# In float32 fehlberg45's error of a first step is rounding, that of a batch another one: no step may hang on it.
@pytest.mark.parametrize(("method", "rtol"), [("dopri5", 1e-4), ("bosh3", 1e-4), ("fehlberg45", 1e-5)])
def test_an_image_costs_what_it_costs_alone(odenet: Net, method: str, rtol: float) -> None:
    asked = Net(replace(odenet.train, method=method), odenet.weights)
    result = hardest.run(HardestConfig(asked, rtol=rtol, images=20, kept=3))
    trained = trained_net(asked)
    own = SolverSettings(method, rtol, rtol, batch="per_sample")
    costs, losses = [], []
    with torch.no_grad():
        for i in range(20):
            answer = build.ask(trained.model, trained.x[i : i + 1], own)
            assert answer.solution is not None
            costs.append(answer.solution.stats.nfe)
            losses.append(float(torch.nn.functional.cross_entropy(answer.logits, trained.labels[i : i + 1])))
    assert sorted(result.nfe, reverse=True) == result.nfe.tolist()
    order = np.argsort(-np.array(costs), kind="stable")  # equals as they come, not the badly judged first
    assert result.nfe.tolist() == np.array(costs)[order].tolist()
    np.testing.assert_allclose(result.loss, np.array(losses)[order], rtol=1e-3, atol=1e-5)
    common, n = np.unique(costs, return_counts=True)
    assert min(costs) == max(costs) or f"{n.max()} of 20 take {common[n.argmax()]:.0f}" in result.sentence
    assert result.hardest.shape == result.easiest.shape == (3, 8, 8)
    assert (result.error == (result.labels != result.predicted)).all()
    means = [result.nfe[result.labels == d].mean() for d in range(10) if (result.labels == d).any()]
    np.testing.assert_allclose(result.by_digit[~np.isnan(result.by_digit)], means)


def test_rank_correlation_is_spearmans() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 50).astype(float)
    b = a + rng.standard_normal(50)
    assert hardest.rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert math.isnan(hardest.rank_correlation(np.ones(5), np.arange(5.0)))


def test_other_solvers_are_judged_and_tend_to_one_answer(odenet: Net) -> None:
    result = swap.run(SwapConfig(odenet, rtols=(0.1, 1e-3, 1e-5), fixed=(("euler", 0.5), ("rk4", 0.05))))
    own, loose, fine, euler, rk4 = result.entries  # the training's own tolerance once
    assert own.trained
    assert not fine.trained
    assert (own.rtol, result.images) == (1e-3, 60)
    assert loose.nfe < fine.nfe
    assert (euler.nfe, rk4.nfe) == (2, 80)
    assert math.isnan(euler.rtol)
    assert math.isnan(fine.dt)
    model, _, x, labels = trained_net(odenet)
    with torch.no_grad():
        wrong = (model(x).argmax(1) != labels).float().mean()
    assert own.error == pytest.approx(float(wrong))
    assert abs(fine.error - rk4.error) <= 1 / 60 + 1e-9
    assert all(entry.seconds > 0 for entry in result.entries)


def test_a_solver_that_gives_up_leaves_a_gap_and_no_number(odenet: Net) -> None:
    wild = np.frombuffer(odenet.weights, "<f4") * np.float32(300)
    result = swap.run(SwapConfig(Net(odenet.train, wild.tobytes()), rtols=(1e-6,), fixed=(("euler", 1.0),)))
    assert math.isnan(result.entries[1].error)
    assert not math.isnan(result.entries[2].error)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_layers_are_removed_and_repeated(kind: str) -> None:
    asked = net(model="resnet", layers=3, kind=kind)
    result = layers.run(LayersConfig(asked))
    model, _, x, labels = trained_net(asked)
    step = model.step
    assert isinstance(step, float)

    def error(*order: int) -> float:
        with torch.no_grad():
            y = model.lift(x)  # type: ignore[operator]
            for k in order:
                y = y + step * model.fields[k](0.0, y)  # type: ignore[index, operator]
            return float((model.read(y).argmax(1) != labels).float().mean())  # type: ignore[operator]

    assert result.whole == pytest.approx(error(0, 1, 2))
    np.testing.assert_allclose(result.removed, [error(1, 2), error(0, 2), error(0, 1)], atol=1e-6)
    np.testing.assert_allclose(
        result.repeated, [error(0, 0, 1, 2), error(0, 1, 1, 2), error(0, 1, 2, 2)], atol=1e-6
    )
    assert (result.moved > 0).all()


def test_a_drawn_ring_is_a_zero_to_every_net() -> None:
    digits = ImagesConfig(iterations=110)
    trainings = [replace(digits, model=m, layers=k) for m, k in (("mlp", 1), ("resnet", 0), ("resnet", 2))]  # type: ignore[arg-type]
    nets = [Net(train) for train in (*trainings, replace(digits, model="rknet"), digits)]
    nets.append(Net(ImagesConfig(kind="conv", model="rknet", start="conv_rknet")))
    result = digit.run(DigitConfig(tuple(nets), RING, others=30))
    assert result.image.shape == (8, 8)
    assert [answer.answer for answer in result.answers] == [0] * 6
    assert [answer.nfe for answer in result.answers][:4] == [0, 0, 2, 8]
    for answer in result.answers:
        assert answer.probabilities.sum() == pytest.approx(1)
        assert answer.path.shape == (len(answer.ts), 2)
        assert answer.others.shape == (len(answer.ts), 30, 2)
        assert answer.labels.shape == (30,)
    assert [answer.jumps for answer in result.answers] == [True, True, True, False, False, False]
    alone = digit.run(DigitConfig(tuple(nets[:1]), RING, others=0))
    np.testing.assert_allclose(alone.answers[0].probabilities, result.answers[0].probabilities, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: HardestConfig(Net(replace(SMALL, model="rknet"))), "rknet takes no steps of its own"),
        (lambda: HardestConfig(Net(replace(SMALL, method="rk4"))), "adaptive explicit method"),
        (lambda: HardestConfig(Net(SMALL), images=0), "images = 0"),
        (lambda: HardestConfig(Net(SMALL), rtol=0), "rtol = 0"),
        (lambda: SwapConfig(Net(replace(SMALL, model="mlp"))), "mlp has no solver"),
        (lambda: SwapConfig(Net(SMALL), fixed=(("dopri5", 0.1),)), "fixed-step explicit"),
        (lambda: SwapConfig(Net(SMALL), (), ()), "0 solvers"),
        (lambda: LayersConfig(Net(replace(SMALL, model="resnet", layers=1))), "2 or more"),
        (lambda: DigitConfig((), CROSS), "0 nets"),
        (lambda: DigitConfig((Net(SMALL), Net(ImagesConfig())), CROSS), "different images"),
        (lambda: DigitConfig((Net(SMALL),), ()), "nothing was drawn"),
        (lambda: Net(SMALL, b"123"), "3 bytes of weights"),
        (lambda: trained_net(Net(SMALL, b"1234")), "1 weights were given"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()
