"""What `gossamer load` says of each odd server: a table of outcomes by name."""

import json
from typing import Any, Final, NamedTuple

import pytest
from click.testing import CliRunner

from gossamer.cli.load.command import load

from .odd_servers import ODD, odd_server

COUNT: Final = 6


class Expected(NamedTuple):
    """How a run ends: its exit code, how many were answered, the kind and phase of each error, statuses."""

    exit_code: int
    answered: int = COUNT
    errors: tuple[tuple[str, str], ...] = ()
    status: str = "200"
    reopened: bool = False


def broken(kind: str, phase: str = "first byte") -> Expected:
    return Expected(1, 0, ((kind, phase),))


TABLE: Final[dict[str, Expected]] = {
    "good": Expected(0),
    "closes and says so": Expected(0),
    "closes and does not say so": Expected(0, reopened=True),
    "closes without an answer": broken("closed early"),
    "resets without an answer": broken("reset"),
    "resets in a body": broken("reset", "body"),
    "closes in a body": broken("connection closed in the middle of a body", "body"),
    "chunks": Expected(0),
    "body until it closes": Expected(0),
    "HTTP/1.0": Expected(0),
    "HTTP/1.0 that lives on": Expected(0),
    "never answers": broken("timeout"),
    "stops in a body": broken("timeout", "body"),
    "another protocol": broken("bad status line"),
    "a length that is none": broken("bad Content-Length"),
    "octets behind the answer": broken("more than the answer", "body"),
    "redirects": Expected(0, status="302"),
    "404": Expected(1, status="404"),
    "503": Expected(1, status="503"),
    "status 999": Expected(1, status="999"),
    "slow": Expected(0),
    "lines end in LF": broken("line not ended by CRLF"),
    "an interim answer first": Expected(0),
    "a body in drops": Expected(0),
    "a head without end": broken("response head too large"),
    "drops slower than patience": broken("timeout", "body"),
}


def run(name: str, *options: str) -> tuple[int, dict[str, Any]]:
    with odd_server(ODD[name]) as url:
        argv = [url, "-c", "2", "-n", str(COUNT), "--timeout", "700ms", "--json", *options]
        result = CliRunner().invoke(load, argv)
    return result.exit_code, json.loads(result.stdout)


def test_table__every_odd_server__stands_in_it() -> None:
    assert TABLE.keys() == ODD.keys()


@pytest.mark.parametrize("name", TABLE)
def test_closed_loop__outcome_by_name(name: str) -> None:
    expected = TABLE[name]
    exit_code, found = run(name)
    assert exit_code == expected.exit_code, found
    assert found["requests_total"] == expected.answered
    assert {(each["kind"], each["phase"]) for each in found["errors"]} == set(expected.errors)
    assert sum(each["count"] for each in found["errors"]) == COUNT - expected.answered
    assert found["statuses"] == ({expected.status: COUNT} if expected.answered else {})
    assert bool(found["reopened_total"]) is expected.reopened
    assert found["due_total"] == COUNT


@pytest.mark.parametrize("name", ["good", "never answers", "another protocol", "closes and does not say so"])
def test_open_loop__outcome_by_name(name: str) -> None:
    expected = TABLE[name]
    exit_code, found = run(name, "--rate", "100")
    assert (exit_code, found["requests_total"]) == (expected.exit_code, expected.answered)
    unsent = sum(found["never_sent"].values())
    left = found["failed_total"] + found["timed_out_total"] + found["in_flight_total"] + unsent
    assert found["requests_total"] + left == found["due_total"] == COUNT


def test_errors__an_example_of_each__quoted() -> None:
    _, found = run("another protocol")
    assert found["errors"][0]["example"] == "bad status line: 'SSH-2.0-server_1\\r\\n'"
