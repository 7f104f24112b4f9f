"""What users bring: drawings and CSV files, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from node_core.data.csv import MAX_BYTES, csv_columns, read_csv
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


@pytest.mark.parametrize("line", ["'" + "a,'b" * 2_400, '"a",' * 2_400, ";,|\t" * 2_400, '"' * 9_600])
def test_no_line_makes_the_reader_think_for_hours(line: str) -> None:
    with pytest.raises(ValueError, match=r"column|quotes"):
        read_csv("\n".join([line] * 100))  # the standard library's sniffer takes hours for the first of them
    with pytest.raises(ValueError, match=r"line 2 of the CSV has [\d,]+ characters.*one row a line"):
        read_csv("1,2,a\n" + line * 2)


ROWS = ["0.5,1.25,a", "1.5,2.0,b", "-1.0,0.75,a", "2.5,-3.0,b"]
POINTS = ((0.5, 1.25), (1.5, 2.0), (-1.0, 0.75), (2.5, -3.0))


def exported(*, header: str = "x,y,class", rows: list[str] = ROWS, index: bool = False) -> str:
    lines = [header, *rows]
    if index:
        lines = [f",{header}", *(f"{i},{row}" for i, row in enumerate(rows))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "header", ["0,1,label", "0,1,2", "x,y,class", "column 1,column 2,column 3", "x,x,x", "2019,2020,kind"]
)
@pytest.mark.parametrize("index", [True, False])
def test_pandas_names_and_index_are_no_data(header: str, index: bool) -> None:
    if header.startswith("2019") and not index:  # may be a point: see the next test
        assert not csv_columns(exported(header=header)).header
        return
    table = read_csv(exported(header=header, index=index), standardise=False)
    assert table.points == POINTS
    assert table.class_names == ("a", "b")
    assert ("index" in " ".join(table.notes) or "numbers the rows" in " ".join(table.notes)) == index
    assert len(set(table.feature_names)) == 2


def test_a_first_line_that_may_be_a_point_is_taken_for_one_unless_told_otherwise() -> None:
    text = exported(header="2019,2020,kind")
    assert not csv_columns(text).header
    assert csv_columns(text, header=True).names == ("2019", "2020", "kind")
    point = "0,1,2\n" + "".join(f"{i},{i + 1},{i % 3}\n" for i in range(3, 9))
    assert not csv_columns(point).header, "2 is a class below: the first line is a point of it"
    assert csv_columns(point.replace(",2\n", ",7\n", 1)).header is False
    counted = "0,1,2\n" + "".join(f"{i}.5,{i + 1},{i % 2}\n" for i in range(6))
    assert csv_columns(counted).header
    assert "first line (0, 1, 2)" in csv_columns(counted).notes[0]


@pytest.mark.parametrize("first", ["nan,nan,a", "NA,,a", ",,a", "1.5,four,a", "-,?,a"])
def test_a_bad_first_row_is_not_swallowed_as_a_header(first: str) -> None:
    with pytest.raises(ValueError, match="line 1, column"):
        read_csv("\n".join([first, *ROWS]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep=;\n", '"sep=;"\r\n'])
@pytest.mark.parametrize("header", ["x;y;Größe\r\n", ""])
def test_what_german_excel_writes_is_read(encoding: str, first: str, header: str) -> None:
    rows = "".join(row.replace(",", ";").replace(".", ",") + "\r\n" for row in ROWS)
    table = read_csv((first + header + rows).encode(encoding), standardise=False)
    assert table.points == POINTS
    assert "Numbers are read with a decimal comma." in table.notes


def test_excels_unicode_text_is_read() -> None:
    text = "\ufeff" + exported().replace(",", "\t").replace("\n", "\r\n")
    for encoding in ("utf-16-le", "utf-16-be"):
        assert read_csv(text.encode(encoding), standardise=False).points == POINTS


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,5;a\n2.5;b\n1,0;a\n2,0;b", r"line 2, column 1 .* is '2.5', while others .* decimal comma"),
        ("1,5;a\n1.000,5;b\n1,0;a\n2,0;b", r"line 2, column 1 .* is '1.000,5', not a number.*decimal comma"),
        ("sep=#\n1#a", "line 1 names the separator '#'"),
        ("sep=;\n1;2;a\n1;four;b\n1;2;a\n1;2;b", "line 3, column 2"),
        ('1,"2\n",a\n1,four,b\n1,2,a\n1,2,b', "line 3, column 2"),
        ("x,y,c\n", "first line of names and no other"),
        (",".join("1" * 65), "65 columns, at most 64"),
        ("1,2,a\n1_000,2,b\n" * 2, "line 2, column 1 .*'1_000', not a number"),
        ("x,y,c\n" + "1,2,a\n١,2,b\n" * 2, r"line 3, column 1 \(x\) is '١', not a number"),
        ("1e400,2,a\n1,2,b\n1,2,a\n1,2,b", "'1e400': only finite"),
        ("9" * 401 + ",2,a\n1,2,b\n1,2,a\n1,2,b", "only finite"),
        ("1\0,2,a", "no text: save it as 'CSV UTF-8'"),
        ("a,b,c\n" * 5, "0 features: choose 1 to 16"),
        (",".join(["1.5"] * 17 + ["a\n"]) * 4, "17 features: choose 1 to 16"),
    ],
)
def test_what_would_be_misread_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_csv(text)


def test_a_workbook_is_recognised() -> None:
    with pytest.raises(ValueError, match="a workbook, not a CSV"):
        read_csv(b"PK\x03\x04" + bytes(100))


def test_columns_are_offered_with_a_guess_and_taken_as_chosen() -> None:
    text = "town,kind,x,y,size\n" + "".join(
        f"t{i},{'uv'[i % 2]},{i / 4},{-i / 2},{i % 3}\n" for i in range(12)
    )
    offer = csv_columns(text)
    assert (offer.names, offer.header) == (("town", "kind", "x", "y", "size"), True)
    assert (offer.label, offer.features) == ("kind", ("x", "y", "size"))
    assert offer.notes == ("Columns without a number are left out: town.",)
    table = read_csv(text, label_column="size", features=["y"], standardise=False)
    assert table.class_names == ("0", "1", "2")
    assert table.points == tuple((-i / 2,) for i in range(12))
    with pytest.raises(ValueError, match=r"line 2, column 1 \(town\) is 't0', not a number"):
        read_csv(text, features=["town"])
    with pytest.raises(ValueError, match="both the class and a feature"):
        read_csv(text, label_column="x", features=["x"])
    with pytest.raises(ValueError, match="chosen twice"):
        read_csv(text, features=["x", 3])
    with pytest.raises(ValueError, match="0 features"):
        read_csv(text, features=[])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a,1,2\nb,3,4\na,5,6\nb,7,8", "column 1"),
        (
            "0,1.5,2.5\n1,3.5,4.5\n0,5.5,6.5\n"
            + "1,7.5,8.5\n1,1,3\n"
            + "".join(f"0,{i},{i}\n" for i in range(9)),
            "column 1",
        ),
        ("1.5,2.5,0\n3.5,4.5,1\n5.5,6.5,0\n7.5,8.5,1", "column 3"),
        ("0.5,a,1\n0.25,b,2\n1,a,3\n2,b,4", "column 2"),
    ],
)
def test_the_class_is_found_where_it_stands(text: str, label: str) -> None:
    assert csv_columns(text).label == label


def test_without_a_class_the_sentence_says_so_and_names_the_remedy() -> None:
    text = "x,y\n" + "".join(f"{i / 7},{i * i / 3}\n" for i in range(30))
    assert csv_columns(text).label == "y"
    with pytest.raises(ValueError, match="30 different values: choose a column with 2 to 10"):
        read_csv(text)


def test_a_column_that_counts_the_rows_is_pointed_at() -> None:
    notes = csv_columns("id,x,c\n" + "".join(f"{i},{i * i},{'ab'[i % 2]}\n" for i in range(1, 9))).notes
    assert notes == ("Column id counts the rows: leave it out, unless that is meant.",)


def test_empty_columns_at_the_end_are_left_out_and_said() -> None:
    table = read_csv("x,y,c,\n" + "".join(f"{row},\n" for row in ROWS), standardise=False)
    assert table.points == POINTS
    assert table.notes == ("Column 4 is empty: it is left out.",)


def test_classes_that_are_equal_numbers_are_one_class() -> None:
    table = read_csv("0,1.0\n1,0\n2,1\n3,0.0\n")
    assert (table.labels, table.class_names) == ((1, 0, 1, 0), ("0", "1.0"))
