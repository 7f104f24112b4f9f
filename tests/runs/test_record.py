"""The record of a live run: what it goes back to when a chunk fails."""

from node_core.runs.chunk import Chunk
from node_core.runs.record import Run


def chunk(number: int, *, good: bool = True) -> Chunk:
    row = {"iteration": float(number), "loss": 1.0}
    return Chunk(b"picture", f"state {number}".encode(), (row,), finished=False, good=good)


def test_a_failed_run_goes_back_to_the_last_state_that_was_good_and_not_merely_finite() -> None:
    run = Run("node_core.any:advance", None, None, 0.0, 0.2)
    run.play()
    run.accept(chunk(1))
    run.accept(chunk(2))
    run.accept(chunk(3, good=False))
    assert run.state == b"state 3"  # a spoilt run goes on while it can
    run.give_up(ValueError("The loss is not a number: lower the learning rate."), 0.2)
    assert run.status == "failed"
    assert run.state == b"state 2"
    assert [row["iteration"] for row in run.rows] == [1, 2, 3]  # what happened stays in sight
    run.play()
    assert [row["iteration"] for row in run.rows] == [1, 2]
    run.accept(chunk(3))
    assert run.state == b"state 3"
    assert [row["iteration"] for row in run.rows] == [1, 2, 3]


def test_a_run_that_fails_before_anything_was_good_begins_where_it_began() -> None:
    run = Run("node_core.any:advance", None, b"uploaded", 0.0, 0.2)
    run.accept(chunk(1, good=False))
    run.give_up(ValueError("The loss is not a number."), 0.2)
    run.step()
    assert run.state == b"uploaded"
    assert run.rows == []


def test_thinned_curves_still_end_at_the_good_state() -> None:
    run = Run("node_core.any:advance", None, None, 0.0, 0.2)
    for k in range(5000):
        run.accept(chunk(k))
    run.accept(chunk(5000, good=False))
    run.give_up(ValueError("The loss is not a number."), 0.2)
    run.play()
    assert run.rows[-1]["iteration"] == 4999
