"""What the service manager is told, where one started the server with `Type=notify` or `notify-reload`.

    serving                 READY=1           a reload, from SIGHUP on   RELOADING=1, then READY=1
    asked to end            STOPPING=1        half of WATCHDOG_USEC      WATCHDOG=1
    anything of it changes  STATUS=...

Owns the datagrams and when they are sent. All of them leave from the supervisor's loop: one that has come to
a halt says nothing any more, and the manager's watchdog ends it. Without NOTIFY_SOCKET nothing is sent.

Source: sd_notify(3), sd_watchdog_enabled(3); systemd.service(5), Type=notify-reload.
"""

import logging
import os
import socket
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from gossamer.core.clock import NEVER_US

log = logging.getLogger("gossamer.supervisor")

Send = Callable[[bytes], None]
"""Sends a datagram to the manager. Raises: OSError."""


class ServicePhase(Enum):
    """Where the server is, with what is said of it."""

    STARTING = ""
    SERVING = "READY=1\n"
    RELOADING = "RELOADING=1\nMONOTONIC_USEC={now_us}\n"
    STOPPING = "STOPPING=1\n"


WATCHDOG: Final = b"WATCHDOG=1\n"


def sender(environment: Mapping[str, str]) -> Send | None:
    """What reaches the manager; None where there is none."""
    name = environment.get("NOTIFY_SOCKET", "")
    if name[:1] not in ("/", "@"):
        if name:
            log.warning("NOTIFY_SOCKET: found %r; allowed: a path, or @ and a name: nothing is told", name)
        return None
    # unix(7): an abstract address begins with a zero octet.
    address = "\0" + name[1:] if name[0] == "@" else name

    def send(datagram: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sending:
            sending.sendto(datagram, address)

    return send


def watchdog_interval_us(environment: Mapping[str, str], pid: int) -> int:
    """How often the manager is to hear that we live; NEVER_US where it does not wait for that."""
    text = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
    if not is_ours or not text.isdecimal() or not int(text):
        return NEVER_US
    return max(1, int(text) // 2)


class Notifier:
    """Tells the manager what has changed."""

    def __init__(self, environment: Mapping[str, str] = os.environ, send: Send | None = None) -> None:
        self._send = sender(environment) if send is None else send
        self._interval_us = watchdog_interval_us(environment, os.getpid())
        self._beat_at_us = 0
        self._told = (ServicePhase.STARTING, "")
        self._is_reload_untold = False
        self._has_failed = False

    def reload_begins(self) -> None:
        """The manager has asked for a reload, and waits to hear of it, even if it is refused at once."""
        self._is_reload_untold = True

    def tick(self, now_us: int, phase: ServicePhase, status: str) -> None:
        """Tell what is new, and that we live. What cannot be sent now is sent at the next tick."""
        if self._send is None:
            return
        try:
            if self._is_reload_untold and phase is ServicePhase.SERVING:
                self._tell(now_us, ServicePhase.RELOADING, status)
            if phase is not ServicePhase.STARTING and self._told != (phase, status):
                self._tell(now_us, phase, status)
            if now_us >= self._beat_at_us and self._interval_us < NEVER_US:
                self._send(WATCHDOG)
                self._beat_at_us = now_us + self._interval_us
        except OSError as error:
            if not self._has_failed:
                log.warning("the service manager hears nothing at NOTIFY_SOCKET: %s", error.strerror)
            self._has_failed = True

    def _tell(self, now_us: int, phase: ServicePhase, status: str) -> None:
        assert self._send is not None
        what = phase.value.format(now_us=now_us) if phase is not self._told[0] else ""
        line = status.replace("\n", " ")
        self._send(f"{what}STATUS={line}\n".encode(errors="backslashreplace"))
        self._told = (phase, status)
        if phase is ServicePhase.RELOADING:
            self._is_reload_untold = False
