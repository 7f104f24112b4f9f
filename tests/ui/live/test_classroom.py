"""Who opens a class's link is told that their picture is seen, and can decline."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.live import classroom
from pages.ui.live.run import watching


def _student() -> None:
    from pages.ui.live import classroom
    from pages.ui.share import show_words

    classroom.join_class("odenet")
    show_words("odenet")


def words(at: AppTest) -> str:
    return " ".join(text.value for text in at.markdown)


@pytest.fixture(autouse=True)
def _tabs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classroom, "known_tab", lambda: True)


def test_a_visitor_is_told_and_seen_until_they_decline() -> None:
    key = watching().open(lambda: True)
    room = watching().find(key)
    assert room is not None
    at = AppTest.from_function(_student)
    at.query_params["class"] = key
    at.run()
    assert not at.exception
    assert "Your lecturer sees the picture of your run, without your name." in words(at)
    assert "class" not in at.query_params, "the address may be passed on"
    (member,) = room.members
    assert watching().find(member) is not None
    at.run()
    assert list(room.members) == [member]
    at.button(key="class leave").click().run()
    assert not at.exception
    assert words(at) == ""
    assert watching().find(member) is None


def test_a_class_that_has_ended_says_so_and_sees_nobody() -> None:
    key = watching().open(lambda: True)
    at = AppTest.from_function(_student)
    at.query_params["class"] = key
    at.run()
    room = watching().find(key)
    assert room is not None
    watching().close(key)
    at.run()
    assert "nobody sees the picture of your run any more" in words(at)
    assert all(watching().find(member) is None for member in room.members)


@pytest.mark.parametrize("key", ["", "x", "2" * 14])
def test_a_key_of_no_class_is_told_in_a_sentence(key: str) -> None:
    at = AppTest.from_function(_student)
    at.query_params["class"] = key
    at.run()
    assert not at.exception
    assert "The class of this link is over, or the link is not whole." in words(at)
