"""What the clients are told, and what is read from what they say."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gossamer.loadtest.servers import Server, ServerError
from gossamer.loadtest.web.asking import argv_of, sample_of
from gossamer.loadtest.web.curl import CurlFigures, curl_argv, parse_curl
from gossamer.loadtest.web.measuring import Usage
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.sample import Latency
from gossamer.loadtest.web.wrk import WrkFigures, parse_wrk, script, wrk_argv

WRK = """Running 1s test @ http://127.0.0.1:8081/
  109166 requests in 1.00s, 24.88MB read
figures {"requests": 109166, "duration_us": 1001000, "errors": 3, "p50": 210, "p99": 900, "p99_9": 4100}
"""
CURL = '{"code": "200", "down": 50, "up": 7, "seconds": 0.5, "exit": 0}'
CUT = '{"code": "200", "down": 50, "up": 7, "seconds": 1.0, "exit": 28}curl: (28) Operation timed out'
UNANSWERED = CUT.replace("200", "000")


def usage(output: str) -> Usage:
    return Usage(output, 1.0, 2_000_000, 1_000_000, 5, 1 << 20)


def test_wrk__its_figures() -> None:
    assert parse_wrk(WRK) == WrkFigures(109_166, 1.001, 3, Latency(210, 900, 4100))


def test_wrk__no_rank_was_found__no_latency() -> None:
    assert parse_wrk(WRK.replace('"p99": 900', '"p99": 0')).latency is None


def test_wrk__no_figures__is_an_error() -> None:
    with pytest.raises(ServerError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


def test_wrk__row__its_options() -> None:
    assert "Connection: close" in wrk_argv("http://x/", "s", 1, 64, is_closing=True)
    assert "Connection: close" not in wrk_argv("http://x/", "s", 1, 64, is_closing=False)
    assert "for i = 1, 16" in script(16)
    assert "request =" not in script(1)


@pytest.mark.parametrize(
    ("output", "is_upload", "expected"),
    [
        (CURL, False, CurlFigures(50, 0.5, True)),
        (CUT, True, CurlFigures(7, 1.0, False)),
        (UNANSWERED, True, CurlFigures(7, 1.0, False)),
    ],
)
def test_curl__whole_or_cut_by_its_time__what_it_carried(
    output: str, is_upload: bool, expected: CurlFigures
) -> None:
    assert parse_curl(output, is_upload) == expected


@pytest.mark.parametrize(
    "output",
    [
        "",
        "curl: (7) refused",
        CURL.replace("200", "404"),
        CURL.replace('"exit": 0', '"exit": 7'),
        CURL.replace("200", "000"),
    ],
)
def test_curl__anything_else__is_an_error(output: str) -> None:
    with pytest.raises(ServerError, match="curl"):
        parse_curl(output, False)


def test_curl__upload__sends_the_file_without_waiting_to_be_asked() -> None:
    argv = curl_argv("http://x/", 3, "file")
    assert argv[argv.index("-T") + 1] == "file"
    assert "Expect:" in argv


def server(*, is_encrypted: bool = False) -> Server:
    ours = SimpleNamespace(pid=os.getpid())
    return Server("x", cast("Any", ours), 7, Path("x.log"), list, is_encrypted=is_encrypted)


def test_argv__row__its_client_and_its_scheme(tmp_path: Path) -> None:
    def argv(row: str, host: str, *, is_encrypted: bool = False) -> list[str]:
        return argv_of(ROWS[row], server(is_encrypted=is_encrypted), host, 1, tmp_path)

    assert argv("pipelining", "::1")[0] == "wrk"
    assert argv("pipelining", "::1")[-1] == "http://[::1]:7/1k.bin"
    assert argv("tls", "1.2.3.4", is_encrypted=True)[-1] == "https://1.2.3.4:7/1k.bin"
    assert argv("bulk-up", "x")[0] == "curl"
    assert argv("websocket", "x")[-5:-1] == ["x", "7", "1", "64"]
    assert (tmp_path / "pipeline-16.lua").read_text() == script(16)


def test_sample__requests_and_megabytes() -> None:
    asked = sample_of(ROWS["keep-alive"], usage(WRK))
    assert (asked.units, asked.errors, asked.server_ns) == (109_166, 3, 2_000_000)
    carried = sample_of(ROWS["bulk-down"], usage(CURL.replace("50", "50000000")))
    assert (carried.units, carried.rate, carried.latency_us) == (50, 100, None)


def test_sample__of_who_knows_its_cpu_time_better__that() -> None:
    knows = WRK.replace('"errors"', '"server_ns": 7, "client_ns": 5, "errors"')
    asked = sample_of(ROWS["websocket"], usage(knows))
    assert (asked.server_ns, asked.client_ns) == (7, 5)


def test_sample__nothing_came__is_an_error() -> None:
    with pytest.raises(ServerError, match="nothing was answered"):
        sample_of(ROWS["bulk-up"], usage(CURL.replace('"up": 7', '"up": 0')))
