"""Rows about this process: its Python and build, its rights, its limits.

Source: proc(5) on status, uid_map; getrlimit(2).
"""

import os
import platform
import resource
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from gossamer.core import native
from gossamer.shards.configuration.config import Config
from gossamer.shards.confinement.confinement import confine
from gossamer.shards.doctor.findings import Finding, For
from gossamer.shards.exitcode import CommandError
from gossamer.shards.machine.procfs import Held, held_to
from gossamer.shards.plan.machine_facts import missing_rights

PYTHON_MIN: Final = (3, 11)
DESCRIPTORS_MIN: Final = 1_024
"""For a worker's own, its files, and some hundred connections on kernel sockets."""
EVERY_USER: Final = "0 0 4294967295"
"""The map of the first user namespace."""
CAPABILITIES: Final = ("NET_ADMIN", 12), ("NET_RAW", 13), ("SETUID", 7), ("SYS_ADMIN", 21)


def rows() -> Iterator[Finding]:
    """All of them."""
    yield _python()
    yield _build()
    yield from _rights(held_to(os.getpid()))
    yield _worker_user()
    yield _descriptors()
    yield _locked_memory()


def _python() -> Finding:
    way = "" if sys.version_info >= PYTHON_MIN else "use Python 3.11 or later"
    return Finding("Python", f"{platform.python_implementation()} {platform.python_version()}", For.ANY, way)


def _build() -> Finding:
    try:
        number = version("gossamer")
    except PackageNotFoundError:
        number = "not installed as a package"
    is_wanted = os.environ.get(native.VARIABLE) != "0"
    way = (
        ""
        if native.is_native() or not is_wanted
        else "make native, or a wheel that has it: several times as fast"
    )
    return Finding("gossamer", f"{number}, {native.running()}", For.SOME, way)


def _rights(held: Held | None) -> Iterator[Finding]:
    if held is None:
        yield Finding("/proc", "not there", For.ANY, "mount it: mount -t proc proc /proc")
        return
    names = [name for name, number in CAPABILITIES if held.capabilities >> number & 1]
    who = f"uid {held.uid}, {', '.join(names) or 'none of the capabilities that matter'}"
    missing = missing_rights()
    yield Finding("rights", who, For.NFQUEUE, f"it needs {missing}" if missing else "")
    yield Finding("user namespace", _namespace(), For.SOME)
    confined = [
        "no new privileges" if held.no_new_privileges else "may gain privileges",
        "system calls filtered (seccomp)" if held.has_seccomp else "no seccomp filter",
    ]
    yield Finding("confinement", ", ".join(confined), For.SOME)


def _namespace() -> str:
    try:
        lines = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return "none in this kernel"
    found = [" ".join(line.split()) for line in lines]
    return "the first" if found == [EVERY_USER] else f"of its own, uids {'; '.join(found) or 'none'}"


def _worker_user() -> Finding:
    try:
        confinement, warnings = confine(Config(), "kernel")
    except CommandError as error:
        return Finding("workers' user", str(error), For.ANY, "name another: server.user")
    identity = confinement.identity
    who = "the one that starts the server" if identity is None else f"uid {identity.uid}, gid {identity.gid}"
    return Finding("workers' user", who, For.SOME, "; ".join(warnings))


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    way = "" if hard >= DESCRIPTORS_MIN or hard == resource.RLIM_INFINITY else f"ulimit -n {DESCRIPTORS_MIN}"
    return Finding("descriptors", f"{_limit(soft)}, at most {_limit(hard)} (ulimit -n)", For.ANY, way)


def _locked_memory() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return Finding("locked memory", f"at most {_limit(hard)} bytes (ulimit -l)", For.SOME)


def _limit(number: int) -> str:
    return "any number" if number == resource.RLIM_INFINITY else f"{number:,}"
