"""Every message of an application: in its place, in every other place, and with every field wrong."""

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gossamer.shards.asgi.messages import (
    HTTP_RULES,
    LIFESPAN_RULES,
    Answered,
    BodyPart,
    FilePart,
    Hint,
    MessageError,
    Part,
    PathPart,
    Rule,
    Stage,
    Start,
    Trailers,
    next_stage,
    taken,
)

Message = dict[str, Any]

GOOD: dict[str, Message] = {
    "http.response.start": {"status": 200, "headers": [(b"a", b"b")]},
    "http.response.body": {"body": b"x", "more_body": True},
    "http.response.zerocopysend": {"file": 0},
    "http.response.pathsend": {"path": "/etc/hostname"},
    "http.response.trailers": {"headers": [(b"a", b"b")]},
    "http.response.early_hint": {"links": [b"</x>; rel=preload"]},
    "lifespan.startup.complete": {},
    "lifespan.startup.failed": {"message": "no"},
    "lifespan.shutdown.complete": {},
    "lifespan.shutdown.failed": {"message": "no"},
}
HTTP_ORDER = {
    Stage.RESPONSE: ["http.response.start", "http.response.early_hint"],
    Stage.FIRST_BODY: ["http.response.body", "http.response.zerocopysend", "http.response.pathsend"],
    Stage.BODY: ["http.response.body", "http.response.zerocopysend"],
    Stage.TRAILERS: ["http.response.trailers"],
    Stage.COMPLETE: [],
}
LIFESPAN_ORDER = {
    Stage.STARTUP: ["lifespan.startup.complete", "lifespan.startup.failed"],
    Stage.RUNNING: [],
    Stage.SHUTDOWN: ["lifespan.shutdown.complete", "lifespan.shutdown.failed"],
    Stage.ENDED: [],
}


def places() -> Iterator[tuple[Mapping[str, Rule], Stage, list[str]]]:
    for rules, order in ((HTTP_RULES, HTTP_ORDER), (LIFESPAN_RULES, LIFESPAN_ORDER)):
        for stage, allowed in order.items():
            yield rules, stage, allowed


def test_order__each_type_at_each_stage() -> None:
    assert HTTP_RULES.keys() | LIFESPAN_RULES.keys() == GOOD.keys()
    for rules, stage, allowed in places():
        for kind in rules:
            message = {"type": kind, **GOOD[kind]}
            if kind in allowed:
                taken(rules, stage, message)
                continue
            with pytest.raises(MessageError) as error:
                taken(rules, stage, message)
            said = str(error.value)
            assert said.startswith(f"send: found {kind} "), (stage, kind, said)
            assert said.endswith(f"; allowed: {', '.join(allowed) or 'nothing more'}"), (stage, kind, said)
            assert "\n" not in said


@pytest.mark.parametrize("rules", [HTTP_RULES, LIFESPAN_RULES])
def test_no_message__at_any_stage(rules: Mapping[str, Rule]) -> None:
    cases: dict[str, Any] = {
        "found None (NoneType); allowed: a dict": None,
        "found 'text' (str); allowed: a dict": "text",
        "found b'x' (bytes); allowed: a dict": b"x",
        "found [1] (list); allowed: a dict": [1],
        "found a message without a type; allowed: ": {},
        "found a message without a type": {"status": 200},
        "found type None; allowed: ": {"type": None},
        "found type 3; ": {"type": 3},
        "found type ['http.response.body']; ": {"type": ["http.response.body"]},
        "found type b'http.response.body'; ": {"type": b"http.response.body"},
        "found type 'http.response.push'; ": {"type": "http.response.push"},
        "found type 'http.response.debug'; ": {"type": "http.response.debug", "info": {}},
        "found type 'websocket.send'; ": {"type": "websocket.send"},
    }
    for said, message in cases.items():
        for stage in Stage:
            with pytest.raises(MessageError) as error:
                taken(rules, stage, message)
            assert f"send: {said}" in str(error.value), (said, stage)


NUMBERS: list[Any] = [None, "200", b"200", 2.5, [], True, False, -1]
NO_FLAGS: list[Any] = [None, 0, 1, "", "false", b"", []]
NO_HEADERS: list[Any] = [
    None,
    5,
    b"a: b",
    "a: b",
    {b"a": b"b"},
    [b"ab"],
    [b"abc"],
    ["ab"],
    [("a", "b")],
    [(b"a", "b")],
    [("a", b"b")],
    [(b"a", 5)],
    [(b"a", None)],
    [(b"a",)],
    [(b"a", b"b", b"c")],
    [None],
    [(b"a", b"b\r\nc: d")],
    [(b"a", b"b\nc")],
    [(b"a", b"b\x00")],
    [(b"a b", b"c")],
    [(b"", b"c")],
    [(b"a:", b"c"), (b"\xe4", b"c")],
    [(b"content-length", b"five")],
    [(b"content-length", b"5"), (b"content-length", b"6")],
]
WRONG: dict[tuple[str, str], list[Any]] = {
    ("http.response.start", "status"): [*NUMBERS, 0, 99, 100, 101, 103, 199, 1000],
    ("http.response.start", "headers"): NO_HEADERS,
    ("http.response.start", "trailers"): NO_FLAGS,
    ("http.response.body", "body"): [None, 5, "text", [b"x"], {}, io.BytesIO(b"x")],
    ("http.response.body", "more_body"): NO_FLAGS,
    ("http.response.zerocopysend", "file"): [None, -1, 2.5, "/etc/hostname", b"x", [], io.BytesIO(b"x")],
    ("http.response.zerocopysend", "offset"): ["0", b"0", 2.5, [], True, False, -1],
    ("http.response.zerocopysend", "count"): ["0", b"0", 2.5, [], True, False, -1],
    ("http.response.zerocopysend", "more_body"): NO_FLAGS,
    ("http.response.pathsend", "path"): [None, 5, b"/etc/hostname", "", "relative", "/a\0b", []],
    ("http.response.trailers", "headers"): NO_HEADERS,
    ("http.response.trailers", "more_trailers"): NO_FLAGS,
    ("http.response.early_hint", "links"): [None, 5, b"</x>", "</x>", [None], [5], ["</x>"], [b"a\r\nb: c"]],
    ("lifespan.startup.failed", "message"): [None, 5, b"no", []],
    ("lifespan.shutdown.failed", "message"): [None, 5, b"no", []],
}


@pytest.mark.parametrize(("kind", "field"), WRONG)
def test_field__of_every_wrong_type__named_in_one_line(kind: str, field: str) -> None:
    rules = HTTP_RULES if kind in HTTP_RULES else LIFESPAN_RULES
    for value in WRONG[kind, field]:
        message = {"type": kind, **GOOD[kind], field: value}
        with pytest.raises(MessageError) as error:
            taken(rules, rules[kind].stages[0], message)
        said = str(error.value)
        where = "headers" if field == "links" and isinstance(value, list) and b"\r\n" in value[0:1] else field
        assert said.startswith((f"{kind}: {where}: found ", f"{kind}: headers: found ")), (value, said)
        assert "; allowed: " in said, (value, said)
        assert "\n" not in said, (value, said)
        assert len(said) < 300, said


def test_field__that_must_be_there() -> None:
    for kind, field in (
        ("http.response.start", "status"),
        ("http.response.zerocopysend", "file"),
        ("http.response.pathsend", "path"),
    ):
        with pytest.raises(MessageError, match=f"{kind}: {field}: found None"):
            taken(HTTP_RULES, HTTP_RULES[kind].stages[0], {"type": kind})


def read(kind: str, **fields: Any) -> Part:
    rules = HTTP_RULES if kind in HTTP_RULES else LIFESPAN_RULES
    return taken(rules, rules[kind].stages[0], {"type": kind, **fields})


def test_start__as_it_is_read() -> None:
    from http import HTTPStatus

    start = read("http.response.start", status=HTTPStatus.CREATED, headers=([b"A", bytearray(b"b")],))
    assert isinstance(start, Start)
    assert (type(start.status), start.status, start.fields.lines, start.has_trailers) == (
        *(int, 201, b"A: b\r\n", False),
    )
    assert read("http.response.start", status=200, headers=iter([(b"a", b"b")]), trailers=True) == read(
        "http.response.start", status=200, headers=[[b"a", memoryview(b"b")]], trailers=True
    )
    bare = read("http.response.start", status=599)
    assert isinstance(bare, Start)
    assert bare.fields.lines == b""


def test_start__that_equals_one_of_before__is_judged_itself() -> None:
    headers = [(b"a", b"b")]
    known = read("http.response.start", status=200, headers=headers)
    assert read("http.response.start", status=200, headers=tuple(headers)) is known
    assert read("http.response.start", status=200, headers=[(b"a", memoryview(b"b"))]) == known
    for status in (200.0, "200", None):
        with pytest.raises(MessageError, match=r"http\.response\.start: status: found"):
            read("http.response.start", status=status, headers=headers)
    told = read("http.response.start", status=200, headers=headers, trailers=True)
    assert isinstance(told, Start)
    assert told.has_trailers
    for trailers in (0, None):
        with pytest.raises(MessageError, match=r"http\.response\.start: trailers: found"):
            read("http.response.start", status=200, headers=headers, trailers=trailers)


def test_body_file_path__as_they_are_read(tmp_path: Path) -> None:
    assert read("http.response.body") == BodyPart(b"", is_last=True)
    assert read("http.response.body", body=memoryview(b"x"), more_body=True) == BodyPart(b"x", is_last=False)
    assert read("http.response.body", body=bytearray(b"x")) == BodyPart(b"x", is_last=True)
    with (tmp_path / "file").open("wb") as file:
        fd = file.fileno()
        assert read("http.response.zerocopysend", file=file) == FilePart(fd, None, None, is_last=True)
        assert read("http.response.zerocopysend", file=fd, offset=0, count=3, more_body=True) == FilePart(
            fd, 0, 3, is_last=False
        )
    assert read("http.response.pathsend", path="/a") == PathPart("/a")
    assert read("http.response.pathsend", path=tmp_path) == PathPart(os.fspath(tmp_path))


def test_trailers_hints_lifespan__as_they_are_read() -> None:
    assert read("http.response.trailers", headers=[(b"a", b"b")], more_trailers=True) == Trailers(
        b"a: b\r\n", is_last=False
    )
    assert read("http.response.early_hint", links=[b"</x>", b"</y>"]) == Hint(b"Link: </x>\r\nLink: </y>\r\n")
    assert read("lifespan.startup.complete") == Answered("")
    assert read("lifespan.startup.failed", message="two\nlines") == Answered("two lines")
    assert read("lifespan.shutdown.failed") == Answered("it does not say why")


def test_stages__follow_what_was_sent() -> None:
    start = read("http.response.start", status=200)
    more, last = BodyPart(b"", is_last=False), BodyPart(b"", is_last=True)
    steps = [
        (Stage.RESPONSE, read("http.response.early_hint"), False, Stage.RESPONSE),
        (Stage.RESPONSE, start, False, Stage.FIRST_BODY),
        (Stage.FIRST_BODY, more, False, Stage.BODY),
        (Stage.BODY, more, False, Stage.BODY),
        (Stage.BODY, last, False, Stage.COMPLETE),
        (Stage.FIRST_BODY, last, True, Stage.TRAILERS),
        (Stage.FIRST_BODY, FilePart(0, None, None, is_last=False), True, Stage.BODY),
        (Stage.BODY, FilePart(0, None, None, is_last=True), True, Stage.TRAILERS),
        (Stage.FIRST_BODY, PathPart("/a"), False, Stage.COMPLETE),
        (Stage.FIRST_BODY, PathPart("/a"), True, Stage.TRAILERS),
        (Stage.TRAILERS, Trailers(b"", is_last=False), True, Stage.TRAILERS),
        (Stage.TRAILERS, Trailers(b"", is_last=True), True, Stage.COMPLETE),
        (Stage.STARTUP, Answered(""), False, Stage.RUNNING),
        (Stage.STARTUP, Answered("no"), False, Stage.ENDED),
        (Stage.SHUTDOWN, Answered(""), False, Stage.ENDED),
        (Stage.SHUTDOWN, Answered("no"), False, Stage.ENDED),
    ]
    found = [next_stage(stage, part, has_trailers=trailers) for stage, part, trailers, _ in steps]
    assert found == [after for *_, after in steps]
