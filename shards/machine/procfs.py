"""What the kernel says of processes and queues under /proc. Reads, and parses; changes nothing."""

import os
from pathlib import Path
from typing import Final

import msgspec

NFNETLINK_QUEUE: Final = Path("/proc/net/netfilter/nfnetlink_queue")
"""Readable by root alone. Columns: number, port id, waiting, copy mode, copy range, dropped (full), dropped
(socket), ...
"""


class ProcessIdentity(msgspec.Struct, frozen=True):
    """Which process: a pid is never mistaken for a later one of the same number."""

    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat."""


class Held(msgspec.Struct, frozen=True):
    """What the kernel holds a process to."""

    uid: int
    groups: tuple[int, ...]
    """Beside its own."""
    capabilities: int
    """A bit each, of those in effect."""
    no_new_privileges: bool
    has_seccomp: bool
    descriptors_max: str
    memory_max: str
    """Both as the kernel writes them: a number, or "unlimited"."""


class QueueLine(msgspec.Struct, frozen=True):
    """One queue that some process has bound."""

    number: int
    waiting: int
    dropped_queue_full_total: int
    dropped_socket_full_total: int


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none of that number, or it has
    ended. One whose first thread has ended has not, as long as another has not: nobody can wait for it yet.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in brackets, may hold anything; field 3 comes after the last bracket.
    fields = stat.rpartition(")")[2].split()
    state, threads_total = fields[0], int(fields[17])
    return None if state in "ZX" and threads_total <= 1 else int(fields[19])


def parent_of(pid: int) -> int | None:
    """Whose child a process is; None when there is none of that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[1])


def held_to(pid: int) -> Held | None:
    """What a process is held to; None when there is none of that number, or it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None
    return parse_held(status, limits)


def parse_held(status: str, limits: str) -> Held | None:
    """The same from the text of both files; None where a process that ends has lines missing."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    soft = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()[1:] if line[26:].split()}
    try:
        return Held(
            uid=int(fields["Uid"].split()[1]),
            groups=tuple(int(each) for each in fields["Groups"].split()),
            capabilities=int(fields["CapEff"], 16),
            no_new_privileges=fields["NoNewPrivs"].strip() == "1",
            has_seccomp=fields.get("Seccomp", "0").strip() != "0",
            descriptors_max=soft["Max open files"],
            memory_max=soft["Max data size"],
        )
    except KeyError:
        return None


def user_outside(uid: int, uid_map: str | None = None) -> int:
    """Who that user is in the user namespace around this one, from the text of /proc/self/uid_map; the same
    where there is none. Source: user_namespaces(7).
    """
    if uid_map is None:
        try:
            uid_map = Path("/proc/self/uid_map").read_text()
        except OSError:
            return uid
    for line in uid_map.splitlines():
        first, outside, count = map(int, line.split())
        if first <= uid < first + count:
            return outside + uid - first
    return uid


def own_identity() -> ProcessIdentity:
    """This process, as chains and state files name it."""
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    return ProcessIdentity(os.getpid(), ticks)


def is_alive(owner: ProcessIdentity) -> bool:
    """Whether that very process still runs."""
    return start_ticks(owner.pid) == owner.start_ticks


def parse_queues(text: str) -> list[QueueLine]:
    """The queues in the text of nfnetlink_queue."""
    lines = (line.split() for line in text.splitlines())
    return [QueueLine(int(w[0]), int(w[2]), int(w[5]), int(w[6])) for w in lines if len(w) >= 7]


def read_queues() -> list[QueueLine]:
    """The queues bound in this network namespace; none where the kernel has no NFQUEUE.

    Raises: PermissionError for anybody but root.
    """
    try:
        return parse_queues(NFNETLINK_QUEUE.read_text())
    except FileNotFoundError:
        return []
