"""What users bring: drawings and CSV files, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from node_core.data.csv import MAX_BYTES, read_csv
from node_core.data.drawn import drawn_config
from node_core.data.toy import make_dataset

SQUARE = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]


def test_a_drawing_becomes_a_data_set_of_exactly_its_points() -> None:
    data = make_dataset(drawn_config(SQUARE, [0, 0, 1, 1]))
    np.testing.assert_array_equal(data.x, np.array(SQUARE, dtype=np.float32))
    np.testing.assert_array_equal(data.labels, [0, 0, 1, 1])
    assert data.n_classes == 2


def test_a_drawing_keeps_its_colours_when_one_is_skipped() -> None:
    data = make_dataset(drawn_config(SQUARE, [0, 0, 2, 2]))
    assert data.n_classes == 3
    assert set(data.labels) == {0, 2}


@pytest.mark.parametrize(
    ("points", "labels", "sentence"),
    [
        ([], [], "drawing is empty: click"),
        (SQUARE[:2], [0, 1], "has 2 points"),
        (SQUARE, [1, 1, 1, 1], "one class only: choose another colour"),
        ([*SQUARE[:3], (float("nan"), 0.0)], [0, 0, 1, 1], "point 4 of the drawing is"),
        ([*SQUARE[:3], (1e9, 0.0)], [0, 0, 1, 1], "point 4"),
        ([*SQUARE[:3], (1.0,)], [0, 0, 1, 1], "two numbers"),
        (SQUARE, [0, 0, 1, 11], "class 11 of point 4"),
        (SQUARE, [0, 1], "4 points but 2 labels"),
    ],
)
def test_a_bad_drawing_is_refused_with_the_remedy(points: list, labels: list, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        drawn_config(points, labels)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_separator_and_header_are_found(separator: str, header: bool) -> None:
    lines = ["width,height,kind"] if header else []
    lines += ["1.5,2,a", "3,4,b", "-5,1e1,a", "7,8,b"]
    table = read_csv("\n".join(lines).replace(",", separator), standardise=False)
    assert table.points == ((1.5, 2.0), (3.0, 4.0), (-5.0, 10.0), (7.0, 8.0))
    assert table.labels == (0, 1, 0, 1)
    assert table.class_names == ("a", "b")
    assert table.feature_names == (("width", "height") if header else ("column 1", "column 2"))


def test_the_class_column_is_chosen_by_name_or_number() -> None:
    text = "kind,x,y\nb,1,2\na,3,4\nb,5,6\na,7,8\n"
    by_name = read_csv(text, label_column="kind")
    assert by_name == read_csv(text, label_column=1)
    assert by_name.labels == (1, 0, 1, 0)
    assert by_name.feature_names == ("x", "y")


def test_numeric_classes_are_ordered_as_numbers() -> None:
    assert read_csv("0,10\n1,9\n2,10\n3,9\n").class_names == ("9", "10")


def test_quotes_byte_order_mark_windows_lines_and_blank_lines_are_understood() -> None:
    table = read_csv(b'\xef\xbb\xbf"x, in m",y,c\r\n"1",2,a\r\n\r\n3,4,b\r\n5,6,a\r\n7,8,b\r\n')
    assert table.feature_names == ("x, in m", "y")
    assert len(table.points) == 4


def test_standardised_columns_fill_the_unit_box_and_can_be_scaled_back() -> None:
    table = read_csv("10,5,a\n20,5,b\n30,5,a\n14,5,b\n")
    points = np.array(table.points)
    assert points[:, 0].min() == -1
    assert points[:, 0].max() == 1
    assert (points[:, 1] == 0).all()
    np.testing.assert_allclose(points * table.scale + table.centre, [[10, 5], [20, 5], [30, 5], [14, 5]])


def test_a_table_becomes_a_data_set() -> None:
    data = make_dataset(read_csv("0,0,a\n0,1,a\n1,0,b\n1,1,b\n").config(test_fraction=0.5))
    assert data.name == "csv"
    assert data.n_classes == 2
    assert data.test.size == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "CSV is empty"),
        ("\n \n", "CSV is empty"),
        ("x,y,c\n1,2,a\n3,NaN,b\n1,2,a\n1,2,b", r"line 3, column 2 \(y\) is 'NaN'.*remove the row"),
        ("x,y,c\n1,2,a\n\n3,four,b\n1,2,a\n1,2,b", r"line 4, column 2 \(y\) is 'four', not a number"),
        ("1,2,a\n3,inf,b\n1,2,a\n1,2,b", r"line 2, column 2 \(column 2\) is 'inf'"),
        ("1,2,a\n3,,b\n1,2,a\n1,2,b", "line 2, column 2 .* is empty"),
        ("1,2,a\n3,4,\n1,2,a\n1,2,b", r"line 2, column 3 .* has no class"),
        ("1,2,a\n3,4\n1,2,a\n1,2,b", "line 2 has 2 columns, the first has 3"),
        ("1,2,a\n3,4,a\n1,2,a\n1,2,a", "every row has the class 'a': add rows"),
        ("1,2,a\n3,4,b", "2 data rows"),
        ("1\n2\n3\n4", "1 column"),
        ("\n".join(f"1,2,{i}" for i in range(40)), "40 different values"),
        ('1,2,a\n3,"4,b\n1,2,a\n1,2,b', "check its quotes"),
        ("1,2,a\n" * 20_002, "more than 20000 rows"),
    ],
)
def test_a_bad_csv_is_refused_with_its_line_column_and_remedy(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_csv(text)


def test_a_csv_that_is_too_large_or_not_text_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 1,000,000"):
        read_csv(b"1" * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match="CSV UTF-8"):
        read_csv("1,2,é\n".encode("latin-1") * 4)


def test_an_unknown_class_column_is_refused() -> None:
    with pytest.raises(ValueError, match="'colour' is not in the CSV: choose one of x, y, c"):
        read_csv("x,y,c\n1,2,a\n3,4,b\n1,2,a\n1,2,b", label_column="colour")
    with pytest.raises(ValueError, match="column 7 does not exist"):
        read_csv("1,2,a\n3,4,b\n1,2,a\n1,2,b", label_column=7)
