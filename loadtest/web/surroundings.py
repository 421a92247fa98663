"""What a run's figures depend on beside the code: versions, processor, kernel, load, settings, commit.

Owns what is asked of the tools and the namespace of a comparison; `loadtest.environment` reads the machine.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gossamer.loadtest.environment import commit, processor, read_line, version
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
"""Of the servers' namespace; those that a namespace does not have are the host's."""


class Surroundings(msgspec.Struct, frozen=True):
    """Where a run was made."""

    python: str
    kernel: str
    processor: str
    processors: int
    load_average: tuple[float, ...]
    """Over 1, 5 and 15 minutes, when the run began."""
    commit: str
    versions: dict[str, str]
    sysctls: dict[str, str]


def surroundings(servers: Namespace) -> Surroundings:
    """All of it, now."""
    with servers.entered():
        sysctls = {name.replace("/", "."): read_line(Path("/proc/sys", name)) for name in SYSCTLS}
    return Surroundings(
        platform.python_version(),
        platform.release(),
        processor(),
        os.cpu_count() or 1,
        tuple(round(value, 2) for value in os.getloadavg()),
        commit(),
        {**{name: version(name) for name in PACKAGES}, **_commands()},
        {name: value for name, value in sysctls.items() if value},
    )


def _commands() -> dict[str, str]:
    nginx = nginx_binary()
    asked = {"nginx": [nginx, "-v"] if nginx else [], "wrk": ["wrk", "-v"], "curl": ["curl", "-V"]}
    return {name: _said(argv) for name, argv in asked.items()}


def _said(argv: Sequence[str]) -> str:
    """The first line of what a command says, up to its version."""
    if not argv or shutil.which(argv[0]) is None:
        return ""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"\d[\w.+-]*", (done.stdout + done.stderr).partition("\n")[0])
    return found[0] if found else ""
