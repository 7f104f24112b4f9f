"""Real series that come with the project, small tables in assets/series/ with a note on where each is from."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import numpy as np

from node_core.assets import ASSETS
from node_core.data.series.series import Floats, SeriesSet

FOLDER: Path = ASSETS / "series"


def hares_and_lynxes() -> SeriesSet:
    """Pelts of hares and lynxes that the Hudson's Bay Company took in, thousands a year, 1900 to 1920: one series."""
    rows = _rows("lynx_hare.csv")
    return SeriesSet(
        "hares",
        "year",
        ("hares", "lynxes"),
        times=(_column(rows, "year"),),
        values=(np.stack([_column(rows, "hare"), _column(rows, "lynx")], axis=1),),
        time_unit="years",
        value_units=("thousand pelts", "thousand pelts"),
        source="Hudson's Bay Company, thousands of pelts a year, as compiled by Howard (2009).",
        series_names=("Hudson Bay",),
    )


def co2() -> SeriesSet:
    """CO2 in the air at Mauna Loa, weekly means of March 1958 to December 2001, of which 59 are missing: one series.

    Times are the Saturdays as years with a fraction, values parts per million, NaN where the week has none.
    """
    rows = _rows("co2.csv")
    return SeriesSet(
        "co2",
        "year",
        ("CO2",),
        times=(np.array([year_of(datetime.date.fromisoformat(row["date"])) for row in rows]),),
        values=(_column(rows, "co2")[:, None],),
        time_unit="years",
        value_units=("ppm",),
        source="Keeling and Whorf (2004), Mauna Loa, weekly means; public domain.",
        series_names=("Mauna Loa",),
    )


def theophylline() -> SeriesSet:
    """Concentration of theophylline in the blood of 12 patients after one dose, at 11 irregular times each.

    Times in hours since the dose, values in mg/L; the last two patients are for testing.
    """
    rows = _rows("theophylline.csv")
    patients = list(dict.fromkeys(row["patient"] for row in rows))
    parts = [[row for row in rows if row["patient"] == patient] for patient in patients]
    return SeriesSet(
        "theophylline",
        "hours",
        ("theophylline",),
        times=tuple(_column(part, "hours") for part in parts),
        values=tuple(_column(part, "concentration")[:, None] for part in parts),
        time_unit="h",
        value_units=("mg/L",),
        source="Study of R. Upton in Boeckmann, Sheiner and Beal (1994), as in R's datasets (Theoph).",
        series_names=tuple(f"patient {patient}" for patient in patients),
        n_test=2,
    )


def year_of(day: datetime.date) -> float:
    """A date as a year with its fraction: 1 July 1958 is 1958.496."""
    first, after = datetime.date(day.year, 1, 1), datetime.date(day.year + 1, 1, 1)
    return day.year + (day - first).days / (after - first).days


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _column(rows: list[dict[str, str]], name: str) -> Floats:
    return np.array([float(row[name] or "nan") for row in rows])
