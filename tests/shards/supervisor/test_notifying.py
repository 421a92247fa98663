"""What a service manager hears of a server."""

import logging
import os
import socket
from pathlib import Path

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.shards.supervisor.notifying import Notifier, ServicePhase, sender, watchdog_interval_us


class Manager:
    """Hears a notifier that ticks each 100 ms."""

    def __init__(self, **environment: str) -> None:
        self.heard: list[str] = []
        self.is_deaf = False
        self.now_us = 0
        self.notifier = Notifier(environment, self.hear)

    def hear(self, datagram: bytes) -> None:
        if self.is_deaf:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.heard.append(datagram.decode())

    def tick(self, phase: ServicePhase, status: str = "s") -> list[str]:
        self.now_us += 100_000
        self.heard.clear()
        self.notifier.tick(self.now_us, phase, status)
        return list(self.heard)


def test_manager__hears_of_each_change_once() -> None:
    manager = Manager()
    assert manager.tick(ServicePhase.STARTING) == []
    assert manager.tick(ServicePhase.SERVING) == ["READY=1\nSTATUS=s\n"]
    assert manager.tick(ServicePhase.SERVING) == []
    assert manager.tick(ServicePhase.SERVING, "two\nworkers") == ["STATUS=two workers\n"]
    assert manager.tick(ServicePhase.RELOADING) == ["RELOADING=1\nMONOTONIC_USEC=500000\nSTATUS=s\n"]
    assert manager.tick(ServicePhase.SERVING) == ["READY=1\nSTATUS=s\n"]
    assert manager.tick(ServicePhase.STOPPING) == ["STOPPING=1\nSTATUS=s\n"]
    assert manager.tick(ServicePhase.STOPPING) == []


def test_reload__that_is_refused_at_once__begins_and_ends() -> None:
    manager = Manager()
    manager.tick(ServicePhase.SERVING)
    manager.notifier.reload_begins()
    assert manager.tick(ServicePhase.SERVING, "refused") == [
        "RELOADING=1\nMONOTONIC_USEC=200000\nSTATUS=refused\n",
        "READY=1\nSTATUS=refused\n",
    ]


def test_reload__that_takes_its_time__is_told_of_once() -> None:
    manager = Manager()
    manager.tick(ServicePhase.SERVING)
    manager.notifier.reload_begins()
    assert [line[:9] for line in manager.tick(ServicePhase.RELOADING)] == ["RELOADING"]
    assert manager.tick(ServicePhase.RELOADING) == []
    assert manager.tick(ServicePhase.SERVING) == ["READY=1\nSTATUS=s\n"]
    assert manager.tick(ServicePhase.SERVING) == []


def test_watchdog__hears_twice_in_its_time_while_the_loop_turns() -> None:
    manager = Manager(WATCHDOG_USEC="600000", WATCHDOG_PID=str(os.getpid()))
    beats = ["WATCHDOG=1\n" in manager.tick(ServicePhase.SERVING) for _ in range(7)]
    assert beats == [True, False, False, True, False, False, True]


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "-1"}, {"WATCHDOG_USEC": "x"}],
    ids=["none", "zero", "negative", "text"],
)
def test_watchdog__of_nobody__hears_nothing(environment: dict[str, str]) -> None:
    assert watchdog_interval_us(environment, 7) == NEVER_US


def test_watchdog__of_another_process__hears_nothing() -> None:
    assert watchdog_interval_us({"WATCHDOG_USEC": "100", "WATCHDOG_PID": "8"}, 7) == NEVER_US


def test_manager__that_takes_nothing_now__hears_it_later(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    manager = Manager()
    manager.is_deaf = True
    assert manager.tick(ServicePhase.SERVING) == manager.tick(ServicePhase.SERVING) == []
    assert len(caplog.records) == 1
    manager.is_deaf = False
    assert manager.tick(ServicePhase.SERVING) == ["READY=1\nSTATUS=s\n"]


@pytest.mark.parametrize("is_abstract", [False, True])
def test_sender__to_a_path_or_an_abstract_name(is_abstract: bool, tmp_path: Path) -> None:
    name = f"@{tmp_path}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if is_abstract else name)
        send = sender({"NOTIFY_SOCKET": name})
        assert send is not None
        send(b"READY=1\n")
        assert manager.recv(100) == b"READY=1\n"


def test_sender__to_what_is_no_place__is_none(caplog: pytest.LogCaptureFixture) -> None:
    assert sender({}) is None
    assert sender({"NOTIFY_SOCKET": "vsock:2:1"}) is None
    assert "vsock:2:1" in caplog.text
