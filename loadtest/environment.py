"""What a run's figures depend on beside the code: versions, processor, kernel, load, settings, commit.

Owns the reading of what a machine and an installation say of themselves; a thing that cannot be found out is
an empty text.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SYSCTLS: Final = (
    "net/core/somaxconn",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_max_syn_backlog",
)
"""What limits a client."""


def environment() -> dict[str, Any]:
    """Where and when a run is made, in JSON's types."""
    started = time.time()
    return {
        "started": datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "started_unix_us": int(started * 1e6),
        "gossamer": version("gossamer"),
        "commit": commit(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processor": processor(),
        "processors": os.cpu_count() or 1,
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "sysctls": {name.replace("/", "."): read_line(Path("/proc/sys", name)) for name in SYSCTLS},
    }


def read_line(path: Path) -> str:
    """What stands in a small file, blanks made one."""
    try:
        return " ".join(path.read_text().split())
    except OSError:
        return ""


def processor() -> str:
    """The name of the processor."""
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def version(package: str) -> str:
    """Of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit of the checkout that runs, with a `+` where files differ from it; empty for a wheel."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")
