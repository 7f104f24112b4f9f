"""The code behind the pictures of the time series lesson, as text that runs as it stands."""

from __future__ import annotations

from dataclasses import replace

from node_core.studies.snippets import Code, assign, script
from node_core.training.series.config import SeriesConfig


def train_snippet(config: SeriesConfig) -> str:
    """Train what the page trains and print a line every 20 iterations."""
    return script(
        ["from itertools import islice", "from node_core.training.series.train import train"],
        *_configured(config),
        "for snapshot in islice(train(config, every=20), 6):",
        "    s = snapshot.scalars",
        '    print(s["iteration"], s["loss"], s["rmse_inside"], s["rmse_beyond"])',
    )


def gaps_snippet(config: SeriesConfig) -> str:
    """Score the model at its beginning, straight lines and splines on the same observations."""
    return script(
        [
            "import pickle",
            "from node_core.studies.series.gaps import run",
            "from node_core.studies.series.gaps_config import GapsConfig",
            "from node_core.training.series.train import initial_state",
        ],
        *_configured(config),
        "result = run(GapsConfig((config,)), pickle.dumps(initial_state(config)))",
        "for score in (*result.models, *result.baselines):",
        "    print(score.name, score.inside, score.beyond)",
    )


def _configured(config: SeriesConfig) -> list[str | Code]:
    """`config = ...`; a table and changed observations are too long to write out."""
    plain = replace(config, edited=b"")
    if config.data != "own":
        return [assign("config", plain)]
    return [
        Code(
            "raw = Path('series.csv').read_bytes()\nown = OwnSeries.of(read_series(raw, series_columns(raw)).series)",
            frozenset(
                {
                    "from pathlib import Path",
                    "from node_core.data.series.table import read_series",
                    "from node_core.data.series.table import series_columns",
                    "from node_core.training.series.own import OwnSeries",
                }
            ),
        ),
        assign("config", plain, {"own": "own"}),
    ]
