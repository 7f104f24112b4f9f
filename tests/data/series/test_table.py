import numpy as np
import pytest

from node_core.data.series.real import FOLDER, co2, hares_and_lynxes, theophylline
from node_core.data.series.table import (
    MAX_KEPT_ROWS,
    ONE_SERIES,
    ROW_NUMBER,
    SeriesColumns,
    read_series,
    series_columns,
)


def read(text, **changes):
    offer = series_columns(text)
    return read_series(text, SeriesColumns(**{**vars(offer), **changes}))


@pytest.mark.parametrize(
    ("name", "known"),
    [("lynx_hare.csv", hares_and_lynxes), ("co2.csv", co2), ("theophylline.csv", theophylline)],
)
def test_our_own_tables_are_read_as_they_are_meant(name, known):
    raw = (FOLDER / name).read_bytes()
    offer = series_columns(raw)
    found = read_series(raw, SeriesColumns(**{**vars(offer), "values": offer.values[-known().dim :]})).series
    expected = known()
    assert len(found.times) == len(expected.times)
    for ts, ys, ts0, ys0 in zip(found.times, found.values, expected.times, expected.values, strict=True):
        seen = np.isfinite(ys0).any(axis=1)
        if name == "co2.csv":  # more than 2,000 rows: every second one
            np.testing.assert_allclose(ts, ts0[seen][::2], atol=1e-9)
            np.testing.assert_array_equal(ys, ys0[seen][::2])
        else:
            np.testing.assert_array_equal(ts, ts0)
            np.testing.assert_array_equal(ys, ys0)


def test_what_is_meant_is_guessed():
    offer = series_columns("patient,hours,dose,level\n1,0,4,1\n1,2,4,3\n2,0,5,1\n2,3,5,4\n")
    assert (offer.time, offer.series, offer.values) == ("hours", "patient", ("dose", "level"))
    offer = series_columns("7\n8\n7\n9\n")
    assert (offer.time, offer.series, offer.values) == (ROW_NUMBER, ONE_SERIES, ("column 1",))


@pytest.mark.parametrize(
    "text",
    [
        "t;y\n0;1,5\n1;2,5\n2;NaN\n3;4,5\n",
        "\ufefft\ty\n0\t1.5\n1\t2.5\n2\t\n3\t4.5\n",
        "sep=;\nt;y\n3;4,5\n1;2,5\n0;1,5\n2;?\n",
        "t|y\n0|1.5\n1|2.5\n2|n/a\n3|4.5\n",
    ],
)
def test_separators_commas_marks_order_and_gaps_make_no_difference(text):
    mark = next(mark for mark in ";\t|" if mark in text)
    found = read(f"{text}4{mark}5\n").series
    assert found.times[0].tolist() == [0, 1, 3, 4]
    assert found.values[0][:, 0].tolist() == [1.5, 2.5, 4.5, 5]


def test_utf_16_as_excel_writes_it_is_read():
    found = read("t\ty\n0\t1\n1\t2\n2\t3\n3\t4\n".encode("utf-16"))
    assert found.series.values[0][:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("dates", "unit", "times"),
    [
        (
            ["1958-01-01", "1959-01-01", "1960-07-01", "1962-01-01"],
            "years",
            [1958, 1959, 1960 + 182 / 366, 1962],
        ),
        (["19580101", "19590101", "19610101", "19620101"], "years", [1958, 1959, 1961, 1962]),
        (["1958-01", "1959-01", "1961-01", "1962-01"], "years", [1958, 1959, 1961, 1962]),
        (["1.3.2024", "2.3.2024", "3.3.2024", "31.3.2024"], "days", [0, 1, 2, 30]),
        (["3/1/2024", "3/2/2024", "3/3/2024", "3/31/2024"], "days", [0, 1, 2, 30]),
        (["1/3/2024", "2/3/2024", "3/3/2024", "31/3/2024"], "days", [0, 1, 2, 30]),
        (
            ["2024-03-01T06:00", "2024-03-01 07:30", "2024-03-01T10:00", "2024-03-02 00:00:00"],
            "hours",
            [6, 7.5, 10, 24],
        ),
        (
            ["2024-03-01T06:00Z", "2024-03-01T08:00+01:00", "2024-03-01T08:00Z", "2024-03-01T09:00Z"],
            "hours",
            [6, 7, 8, 9],
        ),
    ],
)
def test_dates_become_times(dates, unit, times):
    table = read("when,y\n" + "".join(f"{date},{k}\n" for k, date in enumerate(dates)))
    assert table.series.time_unit == unit
    np.testing.assert_allclose(table.series.times[0], times, atol=1e-9)
    assert any("read as" in note for note in table.notes)


def test_what_was_changed_is_said():
    table = read("t,y\n3,1\n1,2\n1,4\n0,5\n2,\n7,1\n")
    assert table.series.times[0].tolist() == [0, 1, 3, 7]
    assert table.series.values[0][:, 0].tolist() == [5, 3, 1, 1]
    said = " ".join(table.notes)
    assert "sorted" in said and "mean" in said and "1 value missing" in said


def test_series_are_told_apart_by_their_column_and_short_ones_left_out():
    rows = "".join(f"{name},{t},{t * k}\n" for k, name in enumerate("ab") for t in (4, 1, 2, 3, 0))
    table = read("who,t,y\n" + rows + "c,0,1\n")
    assert table.series.series_names == ("a", "b")
    assert table.series.times[1].tolist() == [0, 1, 2, 3, 4]
    assert "fewer than 4 observed times: c" in " ".join(table.notes)


def test_a_hundred_thousand_rows_are_thinned_out_and_that_is_said():
    text = "t,y\n" + "\n".join(f"{k},{k % 7}" for k in range(100_000))
    table = read(text)
    assert len(table.series.times[0]) == MAX_KEPT_ROWS
    assert table.series.times[0][1] == 50
    assert table.notes == (
        "Of 100,000 observed rows every 50th is used, 2,000 in all: more is not learned in front of you.",
    )


def test_many_short_series_are_thinned_out_too():
    rows = [f"s{k},{t},1" for k in range(199) for t in range(13)] + [f"long,{t},1" for t in range(7_000)]
    table = read("id,t,y\n" + "\n".join(rows))
    counts = [len(ts) for ts in table.series.times]
    assert sum(counts) <= MAX_KEPT_ROWS and min(counts) >= 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("t,y\n", "no other"),
        ("t,y\n0,1\n", "1 row of data: give at least 4"),
        ("Call me Ishmael. Some years ago", "1 row of data|no other"),
        ("a\nb\nc\nd\ne\n", "choose 1 to 4"),
        ("t,y\n0,1\n1,2\n2,three\n3,4\n", r"line 4, column 2 \(y\) is 'three', not a number"),
        ("t,y\n0,1\n1,2\n,3\n3,4\n", r"line 4, column 1 \(t\) is empty"),
        ("t,y\n0,1\nnan,2\n2,3\n3,4\n", r"line 3, column 1 \(t\) is 'nan'"),
        ("t,y\n0,1\n1,2\n2,1e999\n3,4\n", "line 4.*only finite"),
        ("t,y\n2024-01-01,1\n2024-01-02,2\n2024-02-30,3\n2024-03-01,4\n", "line 4.*not a date"),
        ("t,y\n0,1\n0,2\n0,3\n0,4\n", "4 different times"),
        ("t,y\n0,\n1,\n2,\n3,5\n", "4 different times"),
        ("t,y\n0,1\n1,2,3\n2,3\n3,4\n", "line 3 has 3 columns"),
        (b"\xff\xfe\xfa\x00\x01", "UTF-8|no text"),
        ("t,y\n" + "0,1\n" * 100_001, "more than 100000 rows"),
    ],
)
def test_what_is_no_table_of_series_is_refused_with_its_place(text, says):
    with pytest.raises(ValueError, match=says):
        read(text)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"values": ()}, "choose 1 to 4"),
        ({"values": ("t",)}, "both the times and values"),
        ({"series": "t"}, "both the times and the series"),
        ({"values": ("nothing",)}, "choose one of"),
        ({"values": ("y",), "series": "word"}, "names no series"),
        ({"values": ("y",), "log": True}, r"line 2, column 2 \(y\) is 0, which has no logarithm"),
    ],
)
def test_a_choice_that_can_not_be_is_refused(changes, says):
    text = "t,y,word\n0,0,a\n1,1,a\n2,2,\n3,3,b\n"
    with pytest.raises(ValueError, match=says):
        read(text, **{"series": ONE_SERIES, "values": ("y",), **changes})
