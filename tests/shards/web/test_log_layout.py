"""Lines of the access log by each format; nothing that a peer sends breaks one."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.forwarded import networks_of
from gossamer.shards.web.log_layout import VALUES, Note, Where, layout_of

HEAD = (
    b'GET /x?y HTTP/1.1\r\nHost: a.example\r\nuser-agent: Mozilla/5.0 "x" \xc3\xa9\r\n'
    b"Referer: http://b.example/\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n"
)
NOTE = Note("198.51.100.7", 784111777_000042, HEAD, 200, 5, 123, "ada")
WHERE = Where(3, "nfqueue", networks_of(["198.51.100.0/24"]))


def line(text: str, note: Note = NOTE, where: Where = WHERE) -> str:
    return layout_of(text).line(note, where)


def test_combined() -> None:
    assert line("combined") == (
        '192.0.2.9 - ada [06/Nov/1994:08:49:37 +0000] "GET /x?y HTTP/1.1" 200 5 "http://b.example/" '
        '"Mozilla/5.0 \\x22x\\x22 \\xc3\\xa9"'
    )
    bare = Note("198.51.100.7", 0, b"", 408, 0, 0)
    assert line("combined", bare) == '198.51.100.7 - - [01/Jan/1970:00:00:00 +0000] "" 408 0 "-" "-"'


def test_json__every_name_as_its_type() -> None:
    found: dict[str, Any] = json.loads(line("json"))
    assert found == {
        "client": "192.0.2.9",
        "peer": "198.51.100.7",
        "user": "ada",
        "iso_time": "1994-11-06T08:49:37.000042Z",
        "method": "GET",
        "target": "/x?y",
        "version": "HTTP/1.1",
        "status": 200,
        "bytes": 5,
        "duration_us": 123,
        "host": "a.example",
        "referer": "http://b.example/",
        "user_agent": 'Mozilla/5.0 "x" é',
        "worker": 3,
        "stack": "nfqueue",
        "scheme": "http",
    }


def test_names__each_in_a_line_of_ones_own() -> None:
    for name in VALUES:
        assert re.fullmatch("a .+ b", line(f"a {{{name}}} b"))
    assert line("{worker}/{stack} {duration_us}us {") == "3/nfqueue 123us {"


def test_untrusted_peer__its_own_address() -> None:
    assert line("{client}", where=Where()) == "198.51.100.7"


@pytest.mark.parametrize("text", ["{nobody}", "combind", "", "{client}\n"])
def test_no_format__said_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: common, combined, json"):
        layout_of(text)


@given(st.binary(max_size=80))
def test_any_octets__one_line_and_its_quotes_are_ours(octets: bytes) -> None:
    note = msgspec.structs.replace(
        NOTE, head=octets + b"\r\nUser-Agent:" + octets.replace(b"\n", b"") + b"\r\n\r\n"
    )
    assert re.fullmatch(r'[^"\n]*"[^"\n]*" 200 5 "[^"\n]*" "[^"\n]*"', line("combined", note))
    assert "\n" not in line("json", note)
    json.loads(line("json", note))
