"""Names and origins, spoken to as a server would, without a network."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request
from streamlit import config

from pages.ui.hosts import HostGuard, base_path, connection, front_routes, origin_allowed, tidy_names

Setter = Callable[..., None]


@pytest.fixture
def options() -> Iterator[Setter]:
    """Sets options of Streamlit for one test."""
    before: dict[str, tuple[Any, str]] = {}

    def set_options(**values: Any) -> None:
        for key, value in values.items():
            name = key.replace("__", ".")
            before.setdefault(name, (config.get_option(name), config.get_where_defined(name)))
            config.set_option(name, value, "a test")

    yield set_options
    for name, (value, where) in before.items():
        config.set_option(name, value, where)


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "inner"})


def ask(kind: str, host: str | None, path: str = "/odenet") -> list[Any]:
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    scope = {"type": kind, "path": path, "headers": headers, "method": "GET", "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(HostGuard(inner)(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    "host",
    [
        "lab.example",
        "LAB.example:8501",
        "lab.example.",
        "[2001:db8::1]:8501",
        "[2001:db8::1]",
        "sub.wild.org",
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_allowed_name_passes_with_any_port(options: Setter, host: str, kind: str) -> None:
    options(server__allowedHosts=["lab.example", "2001:db8::1", "*.wild.org"])
    assert ask(kind, host) == [{"type": "inner"}]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "lab.example.evil",
        "",
        None,
        "lab.example@evil",
        "[2001:db8::2]",
        "[::1",
        "a:b:c",
        "<b>x",
    ],
)
def test_another_name_gets_a_page_that_names_the_remedy_and_no_socket(
    options: Setter, host: str | None
) -> None:
    options(server__allowedHosts=["lab.example", "2001:db8::1"])
    start, body = ask("http", host)
    assert start["status"] == 403
    text = body["body"].decode()
    assert "It answers to: lab.example, 2001:db8::1." in text
    for way in ("make run HOST=", "neural-ode-lab --host=", "-e HOST="):
        assert f"{way}lab.example,2001:db8::1," in text
    assert "<b>x" not in text
    assert ask("websocket", host) == [{"type": "websocket.close", "code": 1008}]
    health = ask("http", host, "/_stcore/health")
    assert health == [{"type": "inner"}], "a container's health is asked under any name"


def test_without_a_list_every_name_passes(options: Setter) -> None:
    options(server__allowedHosts=[])
    assert ask("http", "any.example") == ask("websocket", "any.example") == [{"type": "inner"}]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["a.example,b.example"], ["a.example", "b.example"]),
        (["a.example, b.example", "c"], ["a.example", "b.example", "c"]),
        (["[2001:db8::1]", "::1", "fe80::1"], ["2001:db8::1", "::1", "fe80::1"]),
        (["lab:8600", "[::1]:8600"], ["lab", "::1"]),
        (["*.example.com", "*"], ["*.example.com", "*"]),
        ([], []),
    ],
)
def test_a_list_is_read_as_people_write_it(options: Setter, written: list[str], read: list[str]) -> None:
    options(server__allowedHosts=written)
    tidy_names()
    assert config.get_option("server.allowedHosts") == read


@pytest.mark.parametrize(
    ("origin", "scheme", "allowed"),
    [
        ("http://lab:8501", "ws", True),
        ("https://lab:8501", "ws", True),  # a proxy in front takes the encryption off
        ("https://lab:8501", "wss", True),
        ("http://lab:8501", "wss", False),
        ("ftp://lab:8501", "ws", False),
        ("chrome-extension://lab:8501", "ws", False),
        ("lab:8501", "ws", False),
        ("null", "ws", False),
        ("", "ws", False),
        ("http://lab:9999", "ws", False),
        ("http://evil:8501", "ws", False),
        ("http://[::1", "ws", False),
        ("http://localhost:9999", "ws", True),
        ("https://public.example", "ws", False),
    ],
)
def test_an_origin_is_compared_with_the_host_and_its_scheme(origin: str, scheme: str, allowed: bool) -> None:
    assert origin_allowed({"origin": origin, "host": "Lab:8501"}, scheme) is allowed


def test_a_proxy_that_replaces_the_host_works_when_the_origin_is_named(options: Setter) -> None:
    asked = {"origin": "https://public.example", "host": "127.0.0.1:8501"}
    assert not origin_allowed(asked, "ws")
    options(server__corsAllowedOrigins=["https://public.example"])
    assert origin_allowed(asked, "ws")
    options(server__corsAllowedOrigins=[], browser__serverAddress="public.example")
    assert origin_allowed(asked, "ws")


@pytest.mark.parametrize(("written", "path"), [("", ""), ("lab", "/lab"), ("/a/b/", "/a/b")])
def test_routes_stand_below_the_base_path(options: Setter, written: str, path: str) -> None:
    options(server__baseUrlPath=written)
    assert base_path() == path
    routes = [getattr(route, "path", "") for route in front_routes(["", "odenet"], "", "w.js", base_path())]
    assert routes == [f"{path}/", f"{path}/odenet", f"{path}/live-connection"]


def told(page: str) -> tuple[int, str]:
    headers = [(b"host", b"127.0.0.1:8501")]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": headers,
        "scheme": "http",
    }
    scope |= {"query_string": f"page={page}".encode(), "server": ("127.0.0.1", 8501)}
    answer = asyncio.run(connection(Request(scope)))
    return answer.status_code, bytes(answer.body).decode()


def test_a_page_without_a_connection_is_told_what_stands_between() -> None:
    assert "--server.corsAllowedOrigins=https://public.example" in told("https://public.example")[1]
    assert "must let WebSockets pass" in told("http://127.0.0.1:8501")[1]
    assert told("javascript:alert(1)")[0] == 400


def test_streamlits_page_takes_our_script() -> None:
    front: Any = front_routes([""], "<script>first()</script>", "live-assets/1/watch.js")[0]
    page = asyncio.run(front.endpoint(None)).body.decode()
    assert page.count('<script type="module" src="./live-assets/1/watch.js"></script></head>') == 1
