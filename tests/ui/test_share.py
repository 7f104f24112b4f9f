"""Addresses to be shared: what stands in them, who can reach them, and what they leave out of sight."""

import re
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import share


class Query(dict[str, list[str]]):
    """As `st.query_params`."""

    def get_all(self, key: str) -> list[str]:
        return self.get(key, [])


def seen(monkeypatch: pytest.MonkeyPatch, url: str | None, **query: list[str]) -> None:
    told = SimpleNamespace(context=SimpleNamespace(url=url), query_params=Query(query))
    monkeypatch.setattr(share, "st", told)


def test_the_address_is_the_browsers_own_with_the_settings_and_what_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen(monkeypatch, "https://lab.example.org/ode/odenet", lr=["0.02"], nets=["a b", "c"], hide=["menu"])
    asked = {"hide": "controls"}
    told = "https://lab.example.org/ode/odenet?lr=0.02&nets=a+b&nets=c"
    assert share.page_address({}) == told
    assert share.page_address(asked) == f"{told}&hide=controls"
    assert share.settings_now(["nets"]) == {"lr": ["0.02"]}
    assert share.page_address({"net": "k"}, {"lr": ["3"]}) == "https://lab.example.org/ode/odenet?lr=3&net=k"
    seen(monkeypatch, "https://lab.example.org/ode/odenet")
    assert share.page_address({}) == "https://lab.example.org/ode/odenet"
    seen(monkeypatch, None, lr=["0.02"])
    assert share.page_address({}) == ""


@pytest.mark.parametrize(
    ("address", "only"),
    [
        ("http://localhost:8501/odenet", True),
        ("http://127.0.0.1:8501/", True),
        ("http://127.1.2.3/", True),
        ("http://[::1]:8501/", True),
        ("http://app.localhost:8501/", True),
        ("http://localhost.example.org/", False),
        ("http://lab-pc:8501/odenet", False),
        ("http://192.168.0.7:8501/?host=localhost", False),
        ("http://[fe80::1]:8501/", False),
        ("http://[half", False),
    ],
)
def test_an_address_of_this_machine_alone_is_told_from_others(address: str, only: bool) -> None:
    assert share.only_here(address) is only


def test_a_code_is_black_on_white_and_grows_with_its_address() -> None:
    def size(address: str) -> int:
        code = share.qr_code(address)
        assert code.startswith("<svg") and "#fff" in code and "#000" in code
        assert not re.search(r'(width|height)="', code), "it must fit its place"
        found = re.search(r'viewBox="0 0 (\d+) \1"', code)
        assert found is not None
        return int(found[1])

    assert size("http://lab:8501/") < size(f"http://lab:8501/?y={'1' * 300}")
    assert share.qr_code("http://lab/?y=" + "ä" * 3000) == ""


def _page() -> None:
    from pages.ui.share import hide_what_the_address_says

    hide_what_the_address_says()


def test_what_can_not_be_hidden_is_said_and_what_is_hidden_can_be_had_again() -> None:
    at = AppTest.from_function(_page)
    at.query_params["hide"] = "controls,<b>x</b>,menu"
    at.run()
    assert not at.exception
    assert at.warning[0].value.startswith("The address asks to hide \\<b\\>x\\</b\\>, which can't be hidden")
    assert at.caption[0].value == "Hidden by the link: controls and menu."
    at.button[0].click().run()
    assert not at.caption and not at.warning
    assert "hide" not in at.query_params


def test_a_plain_address_hides_nothing() -> None:
    at = AppTest.from_function(_page).run()
    assert not at.exception and not at.main.children
