"""Targets: densities integrate to one and samples follow them; what users paint or upload is checked."""

from __future__ import annotations

import io
import math
import pickle
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from node_core.cnf.densities import GaussianMixture, sample_by_rejection
from node_core.cnf.painted import TargetConfig, grid_target, image_target, make_target, strokes_target
from node_core.cnf.pictures import MAX_IMAGE_BYTES
from node_core.cnf.targets import TARGETS, Target, entropy

EXACT = [name for name, target in TARGETS.items() if target.log_density is not None]
ENERGIES = [name for name, target in TARGETS.items() if target.energy is not None]
STROKES = (((-2.0, -1.0), (0.0, 2.0), (2.0, -1.0)), ((3.0, 3.0),))


def png(pixels: np.ndarray, mode: str | None = None, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, kind)
    return buffer.getvalue()


def disc(side: int = 60) -> np.ndarray:
    """A black disc in the upper left quarter of white paper."""
    row, column = np.mgrid[:side, :side]
    inside = (row - side / 4) ** 2 + (column - side / 4) ** 2 < (side / 5) ** 2
    return np.where(inside, 0, 255).astype(np.uint8)


def user_targets() -> dict[str, Target]:
    rng = np.random.default_rng(0)
    return {
        "strokes": strokes_target(STROKES, brush=0.25),
        "grid": grid_target(rng.random((16, 16))),
        "image": image_target(png(disc(64))),
    }


ALL_EXACT = {**{name: TARGETS[name] for name in EXACT}, **user_targets()}


@pytest.mark.parametrize("name", ALL_EXACT)
def test_a_density_integrates_to_one(name: str) -> None:
    target = ALL_EXACT[name]
    # 240 cells line up with the checkerboard's; painted cells do not, so they sum less well.
    density = target.normalised_on_grid(240)
    _, area = target.grid(240)
    assert density.sum() * area == pytest.approx(1.0, abs=1e-3 if name not in ("grid", "image") else 2e-2)


@dataclass(frozen=True, eq=False)
class SamplesOfAnother(GaussianMixture):
    """The density of one mixture with the samples of another."""

    sampler: GaussianMixture | None = None

    def sample(self, n: int, rng: np.random.Generator):
        assert self.sampler is not None
        return self.sampler.sample(n, rng)


def coarse_chi_square(target: Target, cells: int = 16, fine: int = 10, n: int = 20_000) -> float:
    """p-value of samples against the density, on a coarse grid whose cells are integrated finely."""
    density = target.normalised_on_grid(cells * fine)
    expected = density.reshape(cells, fine, cells, fine).sum(axis=(1, 3)).ravel()
    expected *= n / expected.sum()
    x = target.sample(n, seed=11)
    edges = [np.linspace(low, high, cells + 1) for low, high in target.extent]
    observed = np.histogram2d(x[:, 1], x[:, 0], bins=(edges[1], edges[0]))[0].ravel()
    large = expected >= 5
    assert observed.sum() > n - 3
    assert large.sum() > 10
    o = np.append(observed[large], observed[~large].sum())
    e = np.append(expected[large], expected[~large].sum())
    statistic = ((o - e) ** 2 / np.maximum(e, 1e-9))[e > 0.5].sum()
    return float(stats.chi2.sf(statistic, len(e) - 1))


@pytest.mark.parametrize("name", [*(n for n in ALL_EXACT if n not in ("grid", "image")), *ENERGIES])
def test_samples_follow_the_density(name: str) -> None:
    target = ALL_EXACT.get(name) or TARGETS[name]
    assert coarse_chi_square(target) > 1e-3


def test_the_chi_square_test_notices_a_wrong_noise() -> None:
    blobs = TARGETS["blobs"]
    assert isinstance(blobs.density, GaussianMixture)
    mixed = SamplesOfAnother(blobs.density.means, 0.53, sampler=blobs.density)
    assert coarse_chi_square(Target("mixed", "", mixed, extent=blobs.extent)) < 1e-3


@pytest.mark.parametrize("name", TARGETS)
def test_samples_are_seeded_float32_pairs_inside_the_extent(name: str) -> None:
    target = TARGETS[name]
    x = target.sample(2000, seed=4)
    assert x.shape == (2000, 2)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, target.sample(2000, seed=4))
    assert not np.array_equal(x, target.sample(2000, seed=5))
    for axis, (low, high) in enumerate(target.extent):
        assert ((low < x[:, axis]) & (x[:, axis] < high)).mean() > 0.999


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_travels_to_another_process(name: str) -> None:
    copy = pickle.loads(pickle.dumps(TARGETS[name]))
    np.testing.assert_array_equal(copy.sample(10, seed=0), TARGETS[name].sample(10, seed=0))


@pytest.mark.parametrize("name", ALL_EXACT)
def test_the_log_density_is_the_same_in_torch(name: str) -> None:
    target = ALL_EXACT[name]
    assert target.log_density is not None
    x = target.sample(200, seed=1).astype(float)
    expected = target.log_density(x)
    ours = target.log_density(torch.from_numpy(x), torch)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in ALL_EXACT if ALL_EXACT[n].smooth])
def test_a_smooth_log_density_can_be_differentiated_in_torch(name: str) -> None:
    target = ALL_EXACT[name]
    assert target.log_density is not None
    x = torch.from_numpy(target.sample(5, seed=1).astype(float)).requires_grad_()
    log_density = target.log_density
    assert torch.autograd.gradcheck(lambda y: log_density(y, torch), (x,), atol=1e-4)


@pytest.mark.parametrize("name", ENERGIES)
def test_an_energy_is_the_same_in_torch_and_has_the_right_gradient(name: str) -> None:
    target = TARGETS[name]
    assert target.energy is not None
    x = target.sample(20, seed=1).astype(float)
    y = torch.from_numpy(x).requires_grad_()
    np.testing.assert_allclose(target.energy(y, torch).detach().numpy(), target.energy(x), rtol=1e-12)
    assert torch.autograd.gradcheck(lambda z: target.energy(z, torch), (y,))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "z", "expected"),
    [
        # By hand from Table 1 of Rezende and Mohamed (2015).
        ("energy_1", (2.0, 0.0), -math.log(1 + math.exp(-0.5 * (4 / 0.6) ** 2))),
        ("energy_1", (0.0, 2.0), 0.5 * (2 / 0.6) ** 2 - math.log(2)),
        ("energy_2", (1.0, 1.0), 0.0),
        ("energy_2", (0.0, 0.4), 0.5),
        ("energy_3", (1.0, 1.0), -math.log(1 + math.exp(-0.5 * (3 / 0.35) ** 2))),
        ("energy_4", (1.0, 1.0), -math.log(1 + math.exp(-0.5 * (1.5 / 0.35) ** 2))),
    ],
)
def test_an_energy_has_its_values_from_the_paper(name: str, z: tuple[float, float], expected: float) -> None:
    energy = TARGETS[name].energy
    assert energy is not None
    assert float(energy(np.array([z]))[0]) == pytest.approx(expected, abs=1e-9)


def test_the_entropy_of_the_checkerboard_is_exact() -> None:
    assert entropy(TARGETS["checkerboard"]) == pytest.approx(math.log(32), abs=1e-12)


def test_the_entropy_of_eight_gaussians_is_that_of_one_and_the_choice_of_eight() -> None:
    one = math.log(2 * math.pi * math.e * 0.125)
    quadrature = entropy(TARGETS["eight_gaussians"])
    # Neighbours overlap a little, which takes away a little of the choice.
    assert one + math.log(8) - 0.05 < quadrature < one + math.log(8)


@pytest.mark.parametrize("name", ["eight_gaussians", "two_moons", "pinwheel"])
def test_the_entropy_agrees_with_the_samples(name: str) -> None:
    target = TARGETS[name]
    assert target.log_density is not None
    log_p = target.log_density(target.sample(20_000, seed=3))
    assert -log_p.mean() == pytest.approx(entropy(target), abs=4 * log_p.std() / math.sqrt(20_000))


def test_bad_numbers_are_refused() -> None:
    target = TARGETS["rings"]
    with pytest.raises(ValueError, match="n = 0 samples"):
        target.sample(0, seed=0)
    with pytest.raises(ValueError, match="seed = -1"):
        target.sample(1, seed=-1)
    with pytest.raises(ValueError, match="cells = 3"):
        entropy(target, cells=3)


def test_rejection_sampling_notices_a_bound_that_is_too_low() -> None:
    with pytest.raises(ValueError, match="raise peak"):
        sample_by_rejection(lambda z, xp: z[..., 0] * 0 - 1.0, 4.0, 1.0, 10, np.random.default_rng(0))


def test_a_drawing_puts_its_mass_along_the_strokes_by_length() -> None:
    long_and_short = [[(-3.0, 0.0), (0.0, 0.0)], [(1.0, 2.0), (2.0, 2.0)]]
    x = strokes_target(long_and_short, brush=0.1).sample(20_000, seed=0)
    assert (x[:, 1] < 1).mean() == pytest.approx(0.75, abs=0.02)
    assert x[x[:, 1] < 1, 1].std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    ("strokes", "brush", "sentence"),
    [
        ([], 0.2, "drawing is empty"),
        ([[], []], 0.2, "drawing is empty"),
        ([[(0.0, float("nan"))]], 0.2, "outside"),
        ([[(0.0, 5.0)]], 0.2, "draw inside the frame"),
        ([[(0.0, 0.0)]], 0.0, "brush = 0.0"),
        ([[(0.0, 0.0)] * 30_000], 0.2, "30000 points"),
    ],
)
def test_a_bad_drawing_is_refused(strokes: list, brush: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        strokes_target(strokes, brush=brush)


@pytest.mark.parametrize(
    ("mass", "sentence"),
    [
        (np.zeros((4, 4)), "drawing is empty"),
        (np.full((4, 4), np.nan), "not finite"),
        (-np.ones((4, 4)), "negative"),
        (np.ones(4), "rows and columns"),
        (np.ones((600, 2)), "at most 512"),
    ],
)
def test_a_bad_grid_is_refused(mass: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        grid_target(mass)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_is_dense_where_it_is_dark_and_upright(kind: str, mode: str) -> None:
    x = image_target(png(disc(), mode, kind)).sample(2000, seed=0)
    assert (x[:, 0] < 0).mean() > 0.99  # left
    assert (x[:, 1] > 0).mean() > 0.99  # up


def test_an_inverted_picture_is_dense_where_it_is_light() -> None:
    x = image_target(png(255 - disc()), invert=True).sample(2000, seed=0)
    assert ((x[:, 0] < 0) & (x[:, 1] > 0)).mean() > 0.99


def test_a_transparent_background_is_paper() -> None:
    layers = np.zeros((60, 60, 4), dtype=np.uint8)
    layers[..., 3] = 255 - disc()
    x = image_target(png(layers)).sample(500, seed=0)
    assert ((x[:, 0] < 0) & (x[:, 1] > 0)).mean() > 0.99


def test_a_picture_of_16_bits_keeps_its_shades() -> None:
    shades = np.full((32, 32), 65535, dtype=np.uint16)
    shades[:, :16], shades[:, 16:24] = 0, 32768
    x = image_target(png(shades)).sample(4000, seed=0)
    assert (x[:, 0] < 0).mean() == pytest.approx(16 / (16 + 4), abs=0.03)


def test_a_large_picture_is_shrunk_with_its_aspect() -> None:
    target = image_target(png(np.zeros((300, 600), dtype=np.uint8)))
    x = target.sample(2000, seed=0)
    assert np.abs(x).max(axis=0) == pytest.approx([3.2, 1.6], abs=0.05)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a huge picture."""
    small = png(np.zeros((2, 2), dtype=np.uint8))
    header = small[12:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "complete PNG or JPEG"),
        (b"not a picture", "complete PNG or JPEG"),
        (png(disc())[:80], "complete PNG or JPEG"),
        (b"GIF89a" + bytes(50), "complete PNG or JPEG"),
        (bytes(MAX_IMAGE_BYTES + 1), "at most 12,000,000"),
        (png(np.full((40, 40), 255, dtype=np.uint8)), "all white: give one with something black"),
        (bomb(5000, 5000), "5000 x 5000 pixels: give a picture of at most 16,000,000"),
        (bomb(10_000, 10_000), "give a picture of at most"),
        (bomb(60_000, 60_000), "give a picture of at most"),
    ],
)
def test_a_bad_picture_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        image_target(data)


def test_a_black_picture_is_refused_only_when_inverted() -> None:
    black = png(np.zeros((40, 40), dtype=np.uint8))
    assert image_target(black).sample(1, seed=0).shape == (1, 2)
    with pytest.raises(ValueError, match="all black"):
        image_target(black, invert=True)


def test_a_config_names_every_target() -> None:
    assert make_target(TargetConfig("rings")) is TARGETS["rings"]
    assert make_target(TargetConfig("drawn", strokes=STROKES)).name == "drawn"
    assert make_target(TargetConfig("image", image=png(disc()))).name == "image"
    assert hash(TargetConfig("drawn", strokes=STROKES)) == hash(TargetConfig("drawn", strokes=STROKES))
    with pytest.raises(ValueError, match="'ring' is unknown: choose one of two_moons"):
        make_target(TargetConfig("ring"))
