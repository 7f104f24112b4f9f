"""The configurations that the page offers by name, and from which its first pictures are trained. Loads no torch."""

from __future__ import annotations

from dataclasses import replace

from node_core.training.series.config import SeriesConfig

SPIRALS = SeriesConfig(lr=0.02)
HARES = SeriesConfig(
    data="hares",
    log=True,
    time_unit=1.0,
    holdout=0.25,
    model="lotka_volterra",
    hidden=(16,),
    observations=100,
    noise=0.2,
    lr=0.02,
    grow=300,
)
CO2 = SeriesConfig(
    data="co2",
    window=104,
    trend=2,
    time_unit=0.25,
    holdout=1 / 3,
    latent=6,
    observations=40,
    noise=0.15,
    kl_weight=0.02,
    lr=0.02,
)
PRESETS: dict[str, SeriesConfig] = {
    "Spirals, 30 points": SPIRALS,
    "Hares and lynxes": HARES,
    "CO2 with real gaps": CO2,
}


def with_model(config: SeriesConfig, model: str) -> SeriesConfig:
    """The same series with another model, and the sizes that suit it."""
    hidden = (16,) if model in ("neural_ode", "universal", "lotka_volterra") else config.hidden
    return replace(config, model=model, hidden=hidden)  # type: ignore[arg-type]
