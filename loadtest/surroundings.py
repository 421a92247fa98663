"""Where, when and how a bench was run: versions, processor, kernel, load, settings of the kernel, commit.

Owns what is asked of the tools beside us and of a namespace, and what two runs must share to be of one
machine; `loadtest.environment` reads the machine.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gossamer.loadtest.environment import environment, read_line, version
from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.peers import nginx_binary

PACKAGES: Final = (
    "gossamer",
    "granian",
    "uvicorn",
    "uvloop",
    "httptools",
    "hypercorn",
    "gunicorn",
    "trio",
)
SYSCTLS: Final = (
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "net/ipv4/tcp_sack",
    "net/ipv4/tcp_timestamps",
    "net/ipv4/tcp_ecn",
    "net/ipv4/tcp_notsent_lowat",
    "net/core/default_qdisc",
)
"""Of the servers' namespace, where there is one; those that a namespace does not have are the host's."""
OUTPUT: Final = re.compile(r" --(output|plot)[ =]('[^']*'|\S+)")
"""The options of a command that name a place for its result."""
BUSY_SHARE: Final = 0.5
"""Of the processors: a greater load before a run had begun is others' work."""


class Surroundings(msgspec.Struct, frozen=True):
    """Where and when a run was made."""

    started: str
    """UTC."""
    command: str
    commit: str
    """Of the checkout, with a `+` where files differ from it; empty for a wheel."""
    python: str
    kernel: str
    processor: str
    processors: int
    load_average: tuple[float, ...]
    """Over 1, 5 and 15 minutes, when the run began."""
    versions: dict[str, str]
    sysctls: dict[str, str]


def surroundings(servers: Namespace | None = None) -> Surroundings:
    """All of it, now."""
    around = environment()
    if servers is None:
        sysctls = _sysctls()
    else:
        with servers.entered():
            sysctls = _sysctls()
    return Surroundings(
        around["started"],
        shlex.join(["gossamer", *sys.argv[1:]]),
        around["commit"],
        around["python"],
        around["kernel"],
        around["processor"],
        around["processors"],
        tuple(around["load_average"]),
        {name: found for name, found in {**_packages(), **_commands()}.items() if found},
        {**around["sysctls"], **sysctls},
    )


def _sysctls() -> dict[str, str]:
    found = {name.replace("/", "."): read_line(Path("/proc/sys", name)) for name in SYSCTLS}
    return {name: value for name, value in found.items() if value}


def _packages() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def _commands() -> dict[str, str]:
    nginx = nginx_binary()
    asked = {
        "nginx": [nginx, "-v"] if nginx else [],
        "wrk": ["wrk", "-v"],
        "curl": ["curl", "-V"],
        "fio": ["fio", "--version"],
    }
    return {name: _said(argv) for name, argv in asked.items()}


def _said(argv: Sequence[str]) -> str:
    """The first line of what a command says, up to its version."""
    if not argv or shutil.which(argv[0]) is None:
        return ""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"\d[\w.+-]*", (done.stdout + done.stderr).partition("\n")[0])
    return found[0] if found else ""


def caption(around: Surroundings) -> str:
    """When, of which commit, on which machine, and by which command: what a picture must say of itself.

    Where its result went is nobody's business.
    """
    command = OUTPUT.sub("", around.command)
    load = around.load_average[0] if around.load_average else 0
    return (
        f"{around.started}; commit {around.commit or 'unknown'}; {around.processors} x {around.processor}, "
        f"load {load:g}; Linux {around.kernel}, Python {around.python}; {command}"
    )


def lines_of(around: Surroundings, elapsed_s: float) -> list[str]:
    """The same for people, below a table."""
    versions = ", ".join(f"{name} {version}" for name, version in around.versions.items() if version)
    load = " ".join(map(str, around.load_average))
    found = [
        f"{around.started}, {elapsed_s:.0f} s: {around.command}",
        f"commit {around.commit or 'unknown'}, Python {around.python}, {versions}",
        f"Linux {around.kernel}, {around.processors} x {around.processor}, load {load}",
    ]
    if around.load_average and around.load_average[0] > BUSY_SHARE * around.processors:
        found.append("the machine had other work when the run began: look at ratios of one run, at most")
    return found


def differences(one: Surroundings, other: Surroundings) -> list[str]:
    """In what two runs differ beside the code: each a thing, and its two values."""
    names = ("processor", "processors", "kernel", "python")
    found = [
        f"{name} {getattr(one, name)} / {getattr(other, name)}"
        for name in names
        if getattr(one, name) != getattr(other, name)
    ]
    for kind in ("versions", "sysctls"):
        before, after = getattr(one, kind), getattr(other, kind)
        found += [
            f"{name} {before.get(name) or '-'} / {after.get(name) or '-'}"
            for name in dict.fromkeys((*before, *after))
            if before.get(name) != after.get(name) and name != "gossamer"
        ]
    return found
