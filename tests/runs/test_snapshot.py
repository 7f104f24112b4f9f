"""The messages of the live view survive the way, and bad ones are refused."""

import numpy as np
import pytest

from node_core.runs.snapshot import Snapshot, pack, unpack


def test_arrays_and_scalars_come_back_as_they_went() -> None:
    rng = np.random.default_rng(0)
    sent = Snapshot(
        {
            "points": rng.normal(size=(5, 2)),
            "labels": np.array([0, 1, 2], dtype=np.int64),
            "mask": np.array([True, False]),
            "empty": np.zeros((0, 2)),
            "number": np.float32(3.5) * np.ones(()),
        },
        {"loss": 0.25, "iteration": int(np.int64(7)), "extent": [-1, 1, -2, 2], "done": False, "what": "é"},
    )
    got = unpack(pack(sent))
    np.testing.assert_array_equal(got.arrays["points"], sent.arrays["points"].astype("f4"))
    assert got.arrays["labels"].dtype == np.uint8
    assert got.arrays["labels"].tolist() == [0, 1, 2]
    assert got.arrays["mask"].tolist() == [1, 0]
    assert got.arrays["empty"].shape == (0, 2)
    assert got.arrays["number"].shape == ()
    assert got.scalars == {"loss": 0.25, "iteration": 7, "extent": [-1, 1, -2, 2], "done": False, "what": "é"}


def test_every_array_begins_at_a_multiple_of_four_bytes() -> None:
    message = pack(Snapshot({"a": np.zeros(3, dtype="u1"), "b": np.ones(2)}, {"x": 1}))
    header_length = int.from_bytes(message[:4], "little")
    assert header_length % 4 == 0
    assert (len(message) - 4 - header_length) % 4 == 0
    np.testing.assert_array_equal(unpack(message).arrays["b"], [1, 1])


def test_missing_numbers_travel_as_null() -> None:
    scalars = unpack(
        pack(Snapshot({}, {"loss": float("nan"), "best": float("inf"), "accuracy": None}))
    ).scalars
    assert scalars == {"loss": None, "best": None, "accuracy": None}


def test_integers_that_do_not_fit_a_byte_are_refused() -> None:
    with pytest.raises(ValueError, match="'labels' has values outside 0 to 255"):
        pack(Snapshot({"labels": np.array([256])}))


def test_a_scalar_of_a_strange_type_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be a dict"):
        pack(Snapshot({}, {"loss": {}}))  # type: ignore[dict-item]


@pytest.mark.parametrize("cut", [0, 3, 10, -1])
def test_a_message_cut_short_is_refused(cut: int) -> None:
    message = pack(Snapshot({"points": np.zeros((4, 2))}))
    with pytest.raises(ValueError, match="can't be read"):
        unpack(message[:cut])
