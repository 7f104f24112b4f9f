"""Table 1 while it grows: what a row says before, while and after its nets are trained."""

import json
from dataclasses import replace

import pytest

from node_core.studies.architectures.table_config import TableEntry
from node_core.visualization.architectures.table import Progress, TableLine, finished_rows, table_info

ENTRY = TableEntry("odenet", 0, 0.02, 8_970, 2.5, 20.0, 18.0)
BEGUN = Progress("odenet", "paused", 0, 440, 8_970, None)
HALF = replace(BEGUN, iteration=220, entry=replace(ENTRY, error=0.1))
ENDED = replace(BEGUN, status="finished", iteration=440, entry=ENTRY)


def line(*runs: Progress, mib: dict[str, float] | None = None) -> TableLine:
    (found,) = table_info(runs, mib).lines
    return found


def test_before_its_training_a_net_has_its_parameters_and_the_paper_its_numbers() -> None:
    found = line(BEGUN)
    assert found.cells == ("–", "8,970", "–", "–")
    assert found.paper == ("0.42 %", "0.22 M", "O(1), O(L̃)")
    assert (found.status, found.progress, found.final) == ("waiting", 0.0, False)


def test_what_is_not_final_is_said_to_be_so() -> None:
    found = line(replace(HALF, status="running"))
    assert found.cells == ("10.00 %", "8,970", "20 + 18", "2.5 s")
    assert (found.status, found.progress, found.final) == ("running", 0.5, False)
    assert line(HALF).status == "paused"


def test_several_seeds_have_a_mean_and_a_spread_of_those_that_have_ended() -> None:
    other = replace(ENDED, entry=replace(ENTRY, seed=1, error=0.04, seconds=3.5))
    found = line(ENDED, other)
    assert found.cells[0] == "3.00 ± 1.41 %" and found.cells[3] == "3.0 s"
    assert (found.status, found.runs, found.of) == ("finished", 2, 2)
    found = line(ENDED, replace(HALF, status="running"))
    assert found.cells[0] == "2.00 %" and found.final  # the other one is on its way
    assert (found.status, found.runs, found.of, found.progress) == ("running", 1, 2, 0.75)


@pytest.mark.parametrize("status", ["failed", "running"])
def test_one_run_that_failed_or_goes_on_is_told_of_the_row(status: str) -> None:
    assert line(ENDED, replace(HALF, status=status)).status == status


def test_rows_stand_in_the_order_of_the_table_and_without_a_paper_there_are_dashes() -> None:
    info = table_info([ENDED, replace(BEGUN, model="none"), replace(BEGUN, model="mlp")])
    assert [found.model for found in info.lines] == ["mlp", "none", "odenet"]
    assert info.lines[1].paper == ("–", "–", "–")
    assert info.lines[0].paper == ("1.60 %", "0.24 M", "–")


def test_memory_has_a_column_where_it_was_measured() -> None:
    assert "Memory" not in table_info([ENDED]).columns
    info = table_info([ENDED, replace(BEGUN, model="mlp")], {"odenet": 12.34})
    assert info.columns[-1] == "Memory"
    assert [found.cells[-1] for found in info.lines] == ["–", "12.3 MiB"]
    assert all(len(found.cells) == len(info.columns) for found in info.lines)


def test_only_what_has_ended_is_taken_along() -> None:
    (row,) = finished_rows([ENDED, HALF, BEGUN], {"odenet": 5.0})
    assert (row.runs, row.error, row.mib) == (1, 0.02, 5.0)


def test_the_page_gets_plain_data() -> None:
    sent = json.loads(table_info([ENDED]).to_json())
    assert sent["lines"][0]["label"] == "ODE-Net"
    assert len(sent["lines"][0]["paper"]) == len(sent["paper_columns"])
