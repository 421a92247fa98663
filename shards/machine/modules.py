"""Kernel modules: which ones iptables misses, and the one try to load them.

The kernel loads most of what is asked of it by itself; where it may not (a container, a kernel without its
helper), whoever holds CAP_SYS_MODULE can. Knows no rules.
"""

import re
import shutil
import subprocess
from typing import Final

from gossamer.ffi.privileges import CAP_SYS_MODULE, effective_capabilities

TIMEOUT_SECONDS: Final = 10
EXTENSION: Final = re.compile(r"Extension (\w+) revision \d+ not supported, missing kernel module")
"""Of libxtables, which both kinds of iptables write; it is not translated."""
TABLE: Final = re.compile(
    r"(?:can't initialize |: )(iptables|ip6tables)(?:-restore: unable to initialize)? table [`'](\w+)'"
)
"""Of the iptables that is not on nf_tables, and of its iptables-restore."""
TABLE_PREFIX: Final = {"iptables": "iptable", "ip6tables": "ip6table"}


def missing_modules(said: str) -> tuple[str, ...]:
    """The modules that iptables missed, from its standard error. Pure."""
    extensions = [f"xt_{name}" for name in EXTENSION.findall(said)]
    tables = [f"{TABLE_PREFIX[command]}_{table}" for command, table in TABLE.findall(said)]
    return tuple(dict.fromkeys(extensions + tables))


def load_module(name: str) -> bool:
    """Try to load a module; whether modprobe says that it is there now."""
    if CAP_SYS_MODULE not in effective_capabilities() or shutil.which("modprobe") is None:
        return False
    try:
        done = subprocess.run(
            ["modprobe", "-q", "--", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # This is only an attempt: whoever needs a module that is missing reports it.
        return False
    return done.returncode == 0
