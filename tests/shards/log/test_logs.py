"""Lines of the log, for people and for programs."""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gossamer.shards.log.logs import JsonFormatter, LineFormatter, about, configure_logging

from ..conftest import Server, wait_until


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("gossamer", logging.WARNING, "file", 1, message, args, None)
    made.created = 1_700_000_000.25
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def test_json__an_event__who_what_when_and_why() -> None:
    event = about("worker_started", worker=1, pid=17, why="a\nb\udcff")
    line = JsonFormatter("supervisor").format(record("worker %d: %s", 1, "x\n\udcff", **event))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250000Z",
        "who": "supervisor",
        "process": os.getpid(),
        "level": "warning",
        "message": "worker 1: x\n\\xff",
        "event": "worker_started",
        "worker": 1,
        "pid": 17,
        "why": "a\nb\\xff",
    }


def test_json__an_error__its_traceback_in_the_same_line() -> None:
    made = record("no")
    try:
        raise KeyError("k\udcff")
    except KeyError:
        made.exc_info = sys.exc_info()
    line = JsonFormatter("worker 0").format(made)
    assert "\n" not in line
    assert "KeyError" in json.loads(line)["traceback"]


@pytest.mark.parametrize(("log_format", "kind"), [("text", LineFormatter), ("json", JsonFormatter)])
def test_configuration__takes_the_form(log_format: Any, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging("info", "worker 5%", log_format)
    (handler,) = root.handlers
    assert type(handler.formatter) is kind
    assert "worker 5%" in handler.format(record("x"))


def test_json__the_life_of_a_server__an_event_each(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "1", "--log-format", "json")

    def told(event: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of that name, once there are so many."""

        def found() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in server.log().splitlines(keepends=True) if line[-1] == "\n"]
            events = [line for line in lines if line.get("event") == event]
            return events if len(events) >= count else []

        events: list[dict[str, Any]] = wait_until(found, f"{count} of {event}")
        return events

    (keeper,) = told("keeper_started")
    assert keeper["pid"] == server.status()["keeper"]["pid"]
    (ready,) = told("server_ready")
    assert ready["url"].startswith("http://127.0.0.1:")
    (first,) = told("worker_started")
    assert first["why"] == "its shard begins"
    os.kill(first["pid"], signal.SIGKILL)
    (died,) = told("worker_died")
    assert (died["worker"], died["pid"], died["status"], died["level"]) == (0, first["pid"], -9, "error")
    (_, second) = told("worker_started", 2)
    assert second["why"] == "the one before it died"
    server.wait_serving()
    assert server.command("reload").returncode == 0
    assert told("server_reloading")[0]["why"] == "gossamer reload"
    (replaced,) = told("workers_replaced")
    (_, _, third) = told("worker_started", 3)
    assert (replaced["generation"], replaced["pids"]) == (2, str(third["pid"]))
    (left,) = told("worker_ended")
    assert (left["pid"], left["status"], left["why"]) == (second["pid"], 0, "another serves in its place")
    assert server.command("worker", "add").returncode == 0
    assert server.command("worker", "remove").returncode == 0
    scaled = [(each["before"], each["wanted"], each["why"]) for each in told("server_scaling", 2)]
    assert scaled == [(1, 2, "gossamer worker add"), (2, 1, "gossamer worker remove")]
    assert told("worker_ended", 2)[1]["why"] == "one worker less is wanted"
    assert server.command("worker", "restart", "0").returncode == 0
    assert told("workers_replacing")[0]["why"] == "gossamer worker restart"
    told("worker_ended", 3)
    os.kill(server.process.pid, signal.SIGTERM)
    assert told("server_stopping")[0]["why"] == "SIGTERM"
    (*_, ended) = told("worker_ended", 4)
    assert (ended["worker"], ended["why"], ended["process"]) == (0, "the server stops", server.process.pid)
    assert told("server_stopped")[0]["why"] == "SIGTERM"
