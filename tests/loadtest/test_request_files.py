"""Requests from files: each format, and what is wrong in one line that names the line."""

from pathlib import Path

import pytest

from gossamer.loadtest.request_files import FORM, AskedRequest, read_requests
from gossamer.shards.exitcode import ConfigError


def read(tmp_path: Path, text: str) -> tuple[AskedRequest, ...]:
    (tmp_path / "file").write_text(text)
    (tmp_path / "body.json").write_text("[1]")
    return read_requests(tmp_path / "file")


def test_text__as_vegeta_has_it(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "# three\nGET http://a/1\nX-A: 1\nX-A: 2\n\nPUT http://a/2\n@body.json\n\nGET /3\nDELETE /4\n",
    )
    assert found == (
        AskedRequest("GET", "http://a/1", (("X-A", "1"), ("X-A", "2"))),
        AskedRequest("PUT", "http://a/2", (), b"[1]"),
        AskedRequest("GET", "/3"),
        AskedRequest("DELETE", "/4"),
    )


def test_json_lines__as_vegeta_has_them_and_weights(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '{"method": "POST", "url": "/a", "body": "aGk=", "header": {"X": ["1", "2"]}}\n\n'
        '{"url": "/b", "weight": 3, "check": ["status=200"]}\n',
    )
    assert found == (
        AskedRequest("POST", "/a", (("X", "1"), ("X", "2")), b"hi"),
        AskedRequest("GET", "/b", (), b"", 3, ("status=200",)),
    )


def test_har__what_a_browser_recorded(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """{
  "log": {"version": "1.2", "entries": [
    {"request": {"method": "GET", "url": "http://a/1", "headers": [
       {"name": ":path", "value": "/1"}, {"name": "Content-Length", "value": "0"},
       {"name": "Accept", "value": "*/*"}]}, "response": {}},
    {"request": {"method": "GET", "url": "https://elsewhere/2", "headers": []}},
    {"request": {"method": "POST", "url": "http://a/3", "postData": {"text": "hi"}}}
  ]}}""",
    )
    assert found == (
        AskedRequest("GET", "http://a/1", (("Accept", "*/*"),)),
        AskedRequest("POST", "http://a/3", (), b"hi"),
    )


def test_har__of_a_page_over_https__those_alone(tmp_path: Path) -> None:
    entries = ",".join(
        f'{{"request": {{"method": "GET", "url": "{url}", "headers": []}}}}'
        for url in ("data:x", "https://a/1", "http://a/2", "https://a/3")
    )
    found = read(tmp_path, f'{{"log": {{"entries": [{entries}]}}}}')
    assert [request.url for request in found] == ["https://a/1", "https://a/3"]


def test_curl__lines(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "curl 'http://a/1' -H 'Accept: x' \\\n  --compressed\n"
        "# and\ncurl -s -X PUT --data-raw '@raw' -d @body.json http://a/2 -u a:b\n"
        "curl -I -b c=1 http://a/3\n",
    )
    assert found == (
        AskedRequest("GET", "http://a/1", (("Accept", "x"),)),
        AskedRequest("PUT", "http://a/2", (("Authorization", "Basic YTpi"), FORM), b"[1]&@raw"),
        AskedRequest("HEAD", "http://a/3", (("Cookie", "c=1"),)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "line 1: found 'hello'; allowed: METHOD URL"),
        ("GET /a\nno field\n", "line 2: found 'no field'"),
        ("GET /a\n@missing\n", "line 2: body"),
        ('{"url": "/a"}\n{"url": "/b", "wait": 1}\n', "line 2: Object contains unknown field `wait`"),
        ('{"url": "/a", "body": "?"}', "line 1:"),
        ('{"url": "/a", "weight": -1}', "line 1: found weight -1"),
        ('{"log": {"entries": [{}]}}', "neither HAR nor JSON lines"),
        ("curl http://a/1\ncurl --proxy x http://a/", "line 2: found --proxy"),
        ("curl -H", "line 1: -H without a value"),
        ("curl http://a/ http://b/", "line 1: found 2 URLs"),
        ("curl 'http://a/", "line 1: No closing quotation"),
    ],
)
def test_wrong__each__one_line_that_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong__no_utf8__one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"GET /\xff")
    with pytest.raises(ConfigError, match="no UTF-8 at octet 5"):
        read_requests(tmp_path / "file")
