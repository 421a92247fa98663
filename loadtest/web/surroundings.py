"""What a run's figures depend on beside the code: versions, processor, kernel, load, settings, commit.

Owns the reading of it; a thing that cannot be found out is an empty text.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

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
ROOT: Final = Path(__file__).resolve().parents[2]


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
        sysctls = {name.replace("/", "."): _read(Path("/proc/sys", name)) for name in SYSCTLS}
    return Surroundings(
        platform.python_version(),
        platform.release(),
        _processor(),
        os.cpu_count() or 1,
        tuple(round(value, 2) for value in os.getloadavg()),
        _commit(),
        {**{name: _version(name) for name in PACKAGES}, **_commands()},
        {name: value for name, value in sysctls.items() if value},
    )


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text().split())
    except OSError:
        return ""


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


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


def _commit() -> str:
    """The commit of the checkout that runs, with a `+` where files differ from it; empty for a wheel."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    )
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
