"""Applications on connections: what they send and receive, in every way that a client may behave."""

import asyncio
import contextlib
import logging
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from gossamer import sleep
from gossamer.shards.asgi.messages import MessageError
from gossamer.shards.web.response_times import COUNTS

from .serving import Answer, Client, Served, answers, asked, served

CLOSE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def start(*headers: tuple[bytes, bytes], status: int = 200, **fields: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **fields}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send(start((b"content-type", b"text/plain")))
    await send(body(b"hello " + scope["path"].encode()))


async def echo(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send back what comes, as it comes."""
    await send(start())
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        await send(body(message["body"], more=message["more_body"]))
        if not message["more_body"]:
            return


def test_hello__keep_alive__whole_and_by_its_length() -> None:
    one, other = answers(hello, "/one", "/two")
    assert (one.status, one.body, other.body) == (200, b"hello /one", b"hello /two")
    assert one.field("content-length") == "10"
    assert one.field("content-type") == "text/plain"
    assert one.field("server") == "gossamer"
    assert one.field("date") is not None
    assert one.field("connection") is None


def test_pipelined__answered_in_order_though_the_first_is_slow() -> None:
    async def slow_first(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/0":
            await asyncio.sleep(0.01)
        await hello(scope, receive, send)

    requests = "".join(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n" for number in range(5))
    got = asked(slow_first, requests + CLOSE)
    assert re.findall(rb"hello (/\d?)", got) == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/"]
    assert got.count(b"HTTP/1.1 200 OK\r\n") == 6


def test_head_and_old_client() -> None:
    got = asked(hello, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    first, _, second = got.partition(b"\r\n\r\n")
    assert b"Content-Length: 7" in first
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in second
    assert second.endswith(b"\r\n\r\nhello /")


def test_body__in_the_heads_own_segment_in_pieces_and_in_chunks() -> None:
    async def talk(server: Served) -> list[bytes]:
        client = await server.connect()
        found = [(await client.ask("/", "Content-Length: 3", method="POST", body=b"abc")).body]
        await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab")
        await sleep(0.01)
        await client.send("cd")
        await sleep(0.01)
        await client.send("ef")
        found.append((await client.answer("POST")).body)
        chunks = b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: 1\r\n\r\n"
        found.append((await client.ask("/", "Transfer-Encoding: chunked", method="PUT", body=chunks)).body)
        found.append((await client.ask("/", method="POST")).body)
        return found

    assert served(echo, talk) == [b"abc", b"abcdef", b"abcdefg", b""]


def test_streaming_both_ways__piece_by_piece() -> None:
    async def talk(server: Served) -> list[bytes]:
        client = await server.connect()
        await client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        response = await client.head("POST")
        assert response.field("transfer-encoding") == "chunked"
        got = []
        for piece in (b"b", b"c"):
            while (part := client.reader.next_body()) is None:
                await client.more()
            got.append(part)
            await client.send(b"1\r\n" + piece + b"\r\n")
        await client.send("0\r\n\r\n")
        while part := client.reader.next_body():
            got.append(part)
        while not client.reader.body.is_complete:  # type: ignore[union-attr]  # it has begun
            if (part := client.reader.next_body()) is None:
                await client.more()
            elif part:
                got.append(part)
        return got

    assert b"".join(served(echo, talk)) == b"abc"


def test_start__of_an_application_that_waits__goes_before_the_body() -> None:
    async def waits(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send(start((b"content-type", b"text/event-stream")))
        if scope["path"] == "/receives":
            await receive()
            await receive()
        else:
            await gate.wait()
        await send(body(b"data: 1\n\n"))

    gate = asyncio.Event()

    async def talk(server: Served) -> tuple[str | None, bytes]:
        client, other = await server.connect(), await server.connect()
        await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await other.send("GET /receives HTTP/1.1\r\nHost: a\r\n\r\n")
        response = await client.head()
        assert (await other.head()).status == 200
        gate.set()
        while (part := client.reader.next_body()) is None:
            await client.more()
        return response.field("transfer-encoding"), part

    assert served(waits, talk) == ("chunked", b"data: 1\n\n")


def test_large_answer__to_a_client_that_does_not_read__send_waits() -> None:
    sent = []

    async def large(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send(start())
        for number in range(200):
            await send(body(b"x" * 65536, more=True))
            sent.append(number)
        await send(body())

    async def talk(server: Served) -> tuple[int, int]:
        client = await server.connect()
        await client.send(CLOSE)
        await client.head()
        before = -1
        while before != len(sent):
            before = len(sent)
            await sleep(0.05)
        whole = 0
        while (part := client.reader.next_body()) != b"":
            if part is None:
                await client.more()
            else:
                whole += len(part)
        return before, whole

    before, whole = served(large, talk)
    assert before < 190, "the application was not kept waiting"
    assert whole == 200 * 65536


def test_large_upload__to_an_application_that_does_not_receive__the_client_waits() -> None:
    async def sits(_scope: dict[str, Any], receive: Any, send: Any) -> None:
        await gate.wait()
        total = 0
        while True:
            message = await receive()
            assert len(message["body"]) <= 65536
            total += len(message["body"])
            if not message["more_body"]:
                break
        await send(start())
        await send(body(b"%d" % total))

    gate = asyncio.Event()
    size = 16 << 20

    async def talk(server: Served) -> bytes:
        client = await server.connect()
        await client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            await client.stream.send(b"x" * size, 200_000)
            raise AssertionError("all of it was taken")
        gate.set()
        return b""

    served(sits, talk)


def test_continue__is_said_when_the_application_receives() -> None:
    head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"

    async def talk(server: Served) -> tuple[bytes, Answer]:
        client = await server.connect()
        await client.send(head + "\r\n")
        said = await client.stream.recv()
        await client.send("abc")
        return said, await client.answer("POST")

    async def collects(_scope: dict[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        await send(start())
        await send(body(message["body"]))

    said, answer = served(collects, talk)
    assert said == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.body == b"abc"
    assert asked(collects, head + "Connection: close\r\n\r\nabc").startswith(b"HTTP/1.1 200 OK")
    refused = asked(hello, head + "\r\n")
    assert refused.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in refused, "the body that was not asked for may come or not"


def test_unwanted_body__dropped_while_it_is_small_else_the_end() -> None:
    async def talk(server: Served) -> list[bytes]:
        client = await server.connect()
        small = await client.ask("/small", "Content-Length: 1000", method="POST", body=b"x" * 1000)
        late = "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
        await client.send(late)
        answer = await client.answer("POST")
        await client.send("xx")
        return [small.body, answer.body, (await client.ask("/next")).body]

    assert served(hello, talk) == [b"hello /small", b"hello /late", b"hello /next"]
    large = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{'x' * 100000}"
    got = asked(hello, large + CLOSE)
    assert got.count(b"HTTP/1.1") == 1


def test_disconnect__heard_by_who_waits_for_it__and_by_who_sends() -> None:
    heard = []

    async def waits(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/sends":
            await send(start())
            while True:
                try:
                    await send(body(b"x" * 65536, more=True))
                except OSError as error:
                    heard.append(type(error).__name__)
                    raise
                await asyncio.sleep(0)
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])

    async def talk(server: Served) -> None:
        for target in ("/waits", "/sends"):
            client = await server.connect()
            await client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
            await sleep(0.02)
            await client.stream.abort()
            while server.site.tasks:
                await sleep(0.01)

    served(waits, talk)
    assert heard == ["http.disconnect", "http.disconnect", "ClientLeftError"]


def test_request_while_another_is_answered__kept_and_answered_next() -> None:
    async def listens(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(0.05)
        assert not listening.done()
        listening.cancel()
        await hello(scope, receive, send)

    async def talk(server: Served) -> list[bytes]:
        client = await server.connect()
        found = []
        await client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        await sleep(0.01)
        await client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(2):
            found.append((await client.answer()).body)
        return [*found, (await client.ask("/3")).body]

    assert served(listens, talk) == [b"hello /1", b"hello /2", b"hello /3"]


def test_after_the_response__receive_says_disconnect_and_the_task_goes_on() -> None:
    seen: list[Any] = []

    async def works_on(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        seen.append((await receive())["type"])
        await asyncio.sleep(0.02)
        seen.append(asyncio.current_task() is not None)

    async def talk(server: Served) -> tuple[list[bytes], int]:
        client = await server.connect()
        found = [(await client.ask(f"/{number}")).body for number in range(3)]
        running = len(server.site.tasks)
        while server.site.tasks:
            await sleep(0.01)
        return found, running

    found, running = served(works_on, talk)
    assert (found, running) == ([b"hello /0", b"hello /1", b"hello /2"], 3)
    assert seen == ["http.disconnect"] * 3 + [True] * 3


def test_task__is_the_same_from_its_first_step_on__and_each_has_a_context() -> None:
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")
    seen = []

    async def looks(scope: dict[str, Any], receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert asyncio.get_running_loop() is task.get_loop()
        seen.append((task.get_name(), variable.get()))
        variable.set(scope["path"])
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        assert variable.get() == scope["path"]
        await hello(scope, receive, send)

    list(answers(looks, "/1", "/2"))
    assert seen == [("GET /1", ""), ("GET /2", "")]


def test_scope__is_each_requests_own() -> None:
    seen = []

    async def changes(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append([name for name, _ in scope["headers"]] + sorted(scope) + sorted(scope["asgi"]))
        scope["headers"].append((b"x", b"1"))
        scope["asgi"]["x"] = scope["x"] = 1
        scope["extensions"]["http.response.pathsend"]["x"] = 1
        assert scope["extensions"]["http.response.trailers"] == {}
        await hello(scope, receive, send)

    list(answers(changes, "/", "/"))
    assert seen[0] == seen[1]


def test_date__is_another_a_second_later() -> None:
    async def talk(server: Served) -> list[str | None]:
        site, client = server.site, await server.connect()
        dates = [(await client.ask("/")).field("date"), (await client.ask("/")).field("date")]
        site.wall = lambda: 4_000_000_000_000_000
        site.fresh_until_us = 0
        return [*dates, (await client.ask("/")).field("date")]

    first, second, third = served(hello, talk)
    assert first is not None
    assert second is not None
    assert third == "Tue, 02 Oct 2096 07:06:40 GMT"


# What goes wrong.


async def raises(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    raise ValueError("no such thing")


async def raises_late(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(start())
    await send(body(b"part", more=True))
    raise ValueError("no such thing")


async def exits(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    raise SystemExit(3)


async def returns(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    return


async def returns_after_start(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(start())


async def returns_within(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(start((b"content-length", b"9")))
    await send(body(b"part", more=True))


async def body_first(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(body(b"x"))


async def wrong_length(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(start((b"content-length", b"9")))
    await send(body(b"part"))


async def too_long(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(start((b"content-length", b"9")))
    await send(body(b"123456", more=True))
    await send(body(b"123456"))


async def splits(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send(start((b"x", b"a\r\nSet-Cookie: b")))


FAILURES: dict[Any, tuple[bool, str]] = {
    raises: (True, "ValueError: no such thing"),
    raises_late: (False, "ValueError: no such thing"),
    exits: (True, "SystemExit: 3"),
    returns: (True, "the application returned without a response: GET /"),
    returns_after_start: (True, "the application returned without the body of its response: GET /"),
    returns_within: (False, "the application returned before the end of its response: GET /"),
    body_first: (True, "found http.response.body before the response has started"),
    wrong_length: (True, "found 4 bytes of body; allowed: its content-length, 9"),
    too_long: (False, "found more than 9 bytes of body; allowed: its content-length, 9"),
    splits: (True, "http.response.start: headers: found b'Set-Cookie: b'; allowed: a token"),
}


@pytest.mark.parametrize("app", FAILURES)
@pytest.mark.parametrize("suspends", [False, True])
def test_failure__500_or_the_end__counted_and_logged_once(
    app: Any, suspends: bool, caplog: pytest.LogCaptureFixture
) -> None:
    is_500, said = FAILURES[app]

    async def fails(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if suspends:
            await asyncio.sleep(0)
        await app(scope, receive, send)

    async def talk(server: Served) -> tuple[bytes, dict[str, int]]:
        client = await server.connect()
        await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        got = await client.rest()
        return got, server.site.statistics()

    with caplog.at_level(logging.INFO):
        got, statistics = served(fails, talk)
    if is_500:
        assert got.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"Connection: close\r\n" in got
        assert got.endswith(b"</html>\n")
    else:
        assert got.endswith((b"reset", b"part")), got
        assert b"500" not in got
    assert statistics["application_errors_total"] == 1
    assert statistics["responses_5xx_total"] == is_500
    # What was cut has no end whose time could be counted.
    assert sum(statistics[name] for name in COUNTS) == is_500
    records = [record for record in caplog.records if record.name == "gossamer.asgi"]
    (record,) = [record for record in records if "lifespan" not in record.getMessage()]
    assert said in caplog.text
    is_bug = app in (raises, raises_late, exits)
    assert (record.exc_info is not None) == is_bug
    if not is_bug:
        assert "\n" not in record.getMessage()


def test_answers__at_once__counted_with_the_time_of_their_turn(caplog: pytest.LogCaptureFixture) -> None:
    async def absent(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        time.sleep(0.02)  # it holds the loop
        await send(start(status=404))
        await send(body())

    async def talk(server: Served) -> dict[str, int]:
        client = await server.connect()
        for _ in range(3):
            await client.ask()
        assert server.site.times.sum_us >= 3 * 20_000
        await client.ask("/later", "Connection: close")
        return server.site.statistics()

    statistics = served(absent, talk)
    assert sum(statistics[name] for name in COUNTS) == statistics["requests_total"] == 4
    assert statistics["responses_4xx_total"] == 4
    assert not caplog.records


def test_answers__each_counted_by_its_time_once_it_is_sent() -> None:
    async def talk(server: Served) -> dict[str, int]:
        client = await server.connect()
        await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + "GET / HTTP/1.0\r\n\r\n")
        await client.rest()
        return server.site.statistics()

    statistics = served(hello, talk)
    assert sum(statistics[name] for name in COUNTS) == statistics["requests_total"] == 3


def test_message_that_was_wrong__application_may_say_another() -> None:
    async def tries(scope: dict[str, Any], receive: Any, send: Any) -> None:
        with contextlib.suppress(MessageError):
            await send(start((b"content-length", b"9")))
            await send(body(b"part"))
        await hello(scope, receive, send)

    (answer,) = answers(tries, "/")
    assert (answer.status, answer.body) == (200, b"hello /")


def test_message_after_the_end__logged_and_the_connection_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    async def sends_twice(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await send(body(b"more"))

    assert [answer.body for answer in answers(sends_twice, "/1", "/2")] == [b"hello /1", b"hello /2"]
    assert (
        caplog.text.count("found http.response.body after the response was complete; allowed: nothing") == 2
    )


REFUSED = {
    "GET / HTTP/1.1\r\n\r\n": 400,
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n": 501,
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    "GET /" + "x" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n": 414,
    "GET / HTTP/1.1\r\nHost: a\r\n" + "x: y\r\n" * 200 + "\r\n": 431,
    "GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n": 417,
}


@pytest.mark.parametrize("data", REFUSED)
def test_bad_request__refused_before_the_application(data: str) -> None:
    assert asked(raises, data).startswith(f"HTTP/1.1 {REFUSED[data]} ".encode())


def test_bad_body__400_and_disconnect_for_the_application() -> None:
    seen = []

    async def reads(_scope: dict[str, Any], receive: Any, _send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            seen.append(message["body"])
        seen.append(message["type"])

    got = asked(
        reads, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\nnonsense\r\n"
    )
    assert got.startswith(b"HTTP/1.1 400 ")
    assert seen[-1] == "http.disconnect"


def test_slow_body__408() -> None:
    async def reads(_scope: dict[str, Any], receive: Any, _send: Any) -> None:
        while (await receive())["type"] == "http.request":
            pass

    got = asked(reads, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", body_timeout_us=50_000)
    assert got.startswith(b"HTTP/1.1 408 ")


# Files, trailers, hints.


def test_files__by_path_and_by_descriptor(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 4096)
    whole = file.read_bytes()

    async def sends_file(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        path, files = scope["path"], "http.response.zerocopysend"
        length = (b"content-length", b"%d" % len(whole))
        if path == "/path":
            await send(start(length))
            await send({"type": "http.response.pathsend", "path": str(file)})
            return
        with file.open("rb") as opened:
            await send(start(*([length] if path == "/length" else [])))
            if path in ("/length", "/whole"):
                await send({"type": files, "file": opened})
            elif path == "/parts":
                await send({"type": files, "file": opened, "count": 5, "more_body": True})
                await send(body(b"-", more=True))
                await send({"type": files, "file": opened.fileno(), "more_body": True, "count": 2})
                await send({"type": files, "file": opened, "offset": 10, "count": 3})

    targets = ("/path", "/length", "/whole", "/parts")
    found = dict(zip(targets, answers(sends_file, *targets), strict=True))
    assert [len(found[target].body) for target in targets[:3]] == [len(whole)] * 3
    assert [found[target].body == whole for target in targets[:3]] == [True] * 3
    assert found["/parts"].body == whole[:5] + b"-" + whole[5:7] + whole[10:13]
    assert found["/parts"].field("transfer-encoding") == "chunked"
    assert not [
        link for link in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{link}") == str(file)
    ]


def test_file__absent_or_none__500(tmp_path: Path) -> None:
    async def sends(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send(start())
        await send({"type": "http.response.pathsend", "path": str(tmp_path) + scope["path"]})

    assert [asked(sends, CLOSE.replace("/ ", f"{path} ")).split()[1] for path in ("/absent", "/")] == [
        b"500"
    ] * 2


def test_trailers_and_hints__to_who_understands_them() -> None:
    async def sends(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
        await send(start((b"trailer", b"x"), trailers=True))
        await send(body(b"abc"))
        await send({"type": "http.response.trailers", "headers": [(b"x", b"1")], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": [(b"y", b"2")]})

    got = asked(sends, CLOSE)
    assert got.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
    )
    assert got.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\nx: 1\r\ny: 2\r\n\r\n")
    old = asked(sends, "GET / HTTP/1.0\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200 OK\r\n")
    assert old.endswith(b"\r\n\r\nabc")


def test_own_date_and_server__stand_in_place_of_ours() -> None:
    async def says(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send(start((b"Date", b"then"), (b"SERVER", b"mine")))
        await send(body())

    (answer,) = answers(says, "/")
    assert (answer.field("date"), answer.field("server")) == ("then", "mine")


def test_too_many_tasks__503() -> None:
    from gossamer.shards.asgi.site import AsgiOptions

    async def lingers(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await asyncio.sleep(60)

    async def talk(server: Served) -> list[int]:
        client: Client = await server.connect()
        return [(await client.ask("/")).status for _ in range(3)]

    assert served(lingers, talk, AsgiOptions(lifespan="off", tasks_max=2)) == [200, 200, 503]
