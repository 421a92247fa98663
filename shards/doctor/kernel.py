"""Rows about the kernel: its release, the system calls of `shards.machine.needs`, its clock, settings that
bound a server, and control groups.

Source: Documentation/admin-guide/sysctl/net.rst, Documentation/networking/ip-sysctl.rst,
Documentation/admin-guide/cgroup-v2.rst of the kernel.
"""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gossamer.ffi import systemcalls
from gossamer.shards.doctor.findings import Finding, For
from gossamer.shards.machine.cgroup import read_cpu_quota
from gossamer.shards.machine.needs import Stack, find_refused
from gossamer.shards.plan.machine_facts import usable_cpus

RELEASE_MIN: Final = (4, 18)
"""The lowest that was tried, by denying each later call: docs/machines.md."""
CLOCKS_READ_BY_A_CALL: Final = frozenset({"hpet", "acpi_pm", "refined-jiffies", "jiffies"})
BACKLOG_MIN: Final = 1_024
STACKS: Final[tuple[tuple[Stack, For], ...]] = (
    ("any", For.ANY),
    ("kernel", For.ANY),
    ("nfqueue", For.NFQUEUE),
)
NOT_SAID: Final = "not said"


def rows() -> Iterator[Finding]:
    """All of them."""
    yield _release(platform.release())
    yield from map(_calls, STACKS)
    yield _clock(_read("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    yield _backlog(_read("/proc/sys/net/core/somaxconn"))
    ports = "-".join(_read("/proc/sys/net/ipv4/ip_local_port_range").split())
    yield Finding("local ports", ports, For.SOME)
    yield _processors()
    yield Finding("memory of the group", _group_memory(), For.SOME)


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return NOT_SAID


def _release(release: str) -> Finding:
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    way = "" if numbers >= RELEASE_MIN else f"run on {'.'.join(map(str, RELEASE_MIN))} or later"
    return Finding("kernel", f"{platform.system()} {release}", For.ANY, way)


def _calls(needed: tuple[Stack, For]) -> Finding:
    stack, needed_for = needed
    refused = find_refused(stack, systemcalls.exists, systemcalls.refusal)
    whose = {"any": "", "kernel": " of kernel sockets", "nfqueue": " of the functional TCP"}[stack]
    return Finding(f"system calls{whose}", "refused" if refused else "all are there", needed_for, refused)


def _clock(source: str) -> Finding:
    is_slow = source in CLOCKS_READ_BY_A_CALL
    way = "a clock that is read without a system call: tsc, kvm-clock (kernel parameter clocksource)"
    return Finding("clock", source, For.SOME, way if is_slow else "")


def _backlog(somaxconn: str) -> Finding:
    is_small = somaxconn.isdecimal() and int(somaxconn) < BACKLOG_MIN
    way = f"sysctl -w net.core.somaxconn={BACKLOG_MIN}: bursts of new connections wait there"
    return Finding("somaxconn", somaxconn, For.SOME, way if is_small else "")


def _processors() -> Finding:
    quota = read_cpu_quota()
    bound = "" if quota is None else f", of which a control group gives {float(quota):g}"
    return Finding("processors", f"{len(usable_cpus())}{bound}", For.SOME)


def _group_memory() -> str:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        found = _read(path)
        if found.isdecimal() and int(found) < 1 << 60:
            return f"{int(found) >> 20:,} MiB"
    return "no bound"
