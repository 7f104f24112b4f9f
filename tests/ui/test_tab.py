"""Which tab is it: a reload inherits, a copy does not; and the word of it reaches the script, and nothing else."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from pages.ui.tab import TabMiddleware, Tabs

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def tabs() -> Tabs:
    memory = Tabs(most=3)
    memory.enter(A)
    held = memory.held(A)
    assert held == {}
    held["run"] = "token"
    return memory


def test_a_document_connects_again_and_finds_what_it_held(tabs: Tabs) -> None:
    tabs.leave(A)
    tabs.enter(A)
    assert tabs.held(A) == {"run": "token"}


def test_a_reload_inherits_even_if_the_server_has_not_seen_the_old_document_leave(tabs: Tabs) -> None:
    tabs.enter(B, before=A, left=True)
    assert tabs.held(B) == {"run": "token"}
    tabs.leave(A)  # late
    tabs.enter(C, before=B, left=True)
    assert tabs.held(C) == {"run": "token"}


def test_a_tab_that_crashed_inherits_though_it_said_nothing(tabs: Tabs) -> None:
    tabs.leave(A)
    tabs.enter(B, before=A)
    assert tabs.held(B) == {"run": "token"}


def test_a_copy_of_a_tab_that_is_still_there_holds_nothing(tabs: Tabs) -> None:
    tabs.enter(B, before=A)
    assert tabs.held(B) == {}
    assert tabs.held(A) == {"run": "token"}


def test_only_one_inherits(tabs: Tabs) -> None:
    tabs.leave(A)
    tabs.enter(B, before=A, left=True)
    tabs.enter(C, before=A, left=True)
    assert (tabs.held(B), tabs.held(C), tabs.held(A)) == ({"run": "token"}, {}, None)


def test_a_second_connection_keeps_a_document_there(tabs: Tabs) -> None:
    tabs.enter(A)
    tabs.leave(A)
    tabs.enter(B, before=A)
    assert tabs.held(B) == {}


def test_the_longest_gone_are_forgotten_and_nobody_who_is_there(tabs: Tabs) -> None:
    gone = [f"{number:032x}" for number in range(5)]
    for name in gone:
        tabs.enter(name)
        tabs.leave(name)
    assert tabs.held(A) == {"run": "token"}
    assert [name for name in gone if tabs.held(name) is not None] == gone[-2:]


def seen(scope: dict[str, Any], tabs: Tabs) -> Scope:
    """What the app behind sees of a connection."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def nothing(*_: Any) -> Any:
        raise AssertionError("the middleware neither receives nor sends")

    asyncio.run(TabMiddleware(app, lambda: tabs)(scope, nothing, nothing))
    return found[0]


def handshake(*protocols: str, **headers: str) -> dict[str, Any]:
    listed = [(b"sec-websocket-protocol", ", ".join(protocols).encode())]
    listed += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "websocket",
        "path": "/_stcore/stream",
        "headers": listed,
        "subprotocols": list(protocols),
    }


def test_the_word_is_taken_out_of_the_handshake_and_told_to_the_script(tabs: Tabs) -> None:
    scope = seen(handshake("streamlit", "xsrf", f"tab.{B}.{A}.1"), tabs)
    assert dict(scope["headers"]) == {b"sec-websocket-protocol": b"streamlit, xsrf", b"x-lab-tab": B.encode()}
    assert scope["subprotocols"] == ["streamlit", "xsrf"]
    assert tabs.held(B) == {"run": "token"}
    tabs.enter(C, before=B)
    assert tabs.held(C) == {"run": "token"}, "the connection has ended, but the document counts as there"


@pytest.mark.parametrize(
    "word", ["tab.short.x.1", f"tab.{A}.{A}.2", f"tab.{A.upper()}..0", f"tab.{A}", "tab"]
)
def test_a_word_that_is_none_is_left_alone(tabs: Tabs, word: str) -> None:
    scope = seen(handshake("streamlit", word), tabs)
    assert scope["subprotocols"] == ["streamlit", word]
    assert b"x-lab-tab" not in dict(scope["headers"])


def test_nobody_names_a_tab_by_a_header_of_their_own(tabs: Tabs) -> None:
    scope = seen(handshake("streamlit", x_lab_tab=A), tabs)
    assert b"x-lab-tab" not in dict(scope["headers"])


def test_a_request_passes_as_it_is(tabs: Tabs) -> None:
    scope = {"type": "http", "method": "GET", "path": "/odenet", "headers": [(b"accept", b"text/html")]}
    assert seen(scope, tabs) == scope
