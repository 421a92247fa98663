"""Commands in back-quotes: set-up scripts by name, sysctl, echo into /proc; never run.

Owns what a line of shell means here. A command that only prepares or cleans up the machine is skipped; one
that looks at its kernel is unsupported.
"""

import re
import shlex
from collections.abc import Iterable
from typing import Final

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.settings import Settings
from gossamer.core.packetdrill.sysctls.setting import set_sysctl
from gossamer.core.records import replace
from gossamer.core.tcp.drop import SegmentDrop

SEPARATORS: Final = re.compile(r"\n|;|&&|\|\|")
ARITHMETIC: Final = re.compile(r"\$\(\(([0-9*+ ()-]*)\)\)")
SILENT: Final = frozenset(
    {
        "ip", "tc", "sleep", "rm", "true", ":", "ifconfig", "ethtool", "modprobe", "kldload",
        "kldunload", "echo", "cat", "export", "set", "cd", "touch", "iptables", "ip6tables", "unset",
        "pwd", "mkdir", "nstat", "kill", "killall", "bash", "sh", "route", "date", "sync",
    }
)  # fmt: skip
SOCKSTAT: Final = re.compile(r"^\s*sockstat\b.*grep -c (?:-w )?(\w+)\s*\|\s*grep (?:-q )?(\d+)\s*$")
TCPDROP: Final = re.compile(r"^\s*tcpdrop -s (\w+)\s*$")
SOCKSTAT_NAMES: Final = {"SYN-RCVD": "SYN-RECEIVED", "SYN-RECV": "SYN-RECEIVED"}
NSTAT: Final = re.compile(r"^\s*nstat\b[^|]*\|\s*grep (?:-q )?(\w+)")
COUNTERS: Final = {"TcpExtOutOfWindowIcmps": SegmentDrop.ICMP_IGNORED}
DEFAULTS: Final = "defaults.sh"
SET_BY_DEFAULTS: Final = (
    "receive_buffer_bytes",
    "send_buffer_bytes",
    "timestamps",
    "syn_retries",
    "synack_retries",
    "forward_rto",
    "sack",
    "dsack",
    "congestion",
    "restart_after_idle",
    "tail_loss_probe",
    "rack",
    "ecn",
    "notsent_lowat_bytes",
)
"""What that script sets of a connection; what else a script has said before it stands."""
DEFAULTS_FAST_OPEN: Final = 0x70403
TO_FILE: Final = re.compile(r"^\s*echo\s+(?:-n\s+)?(.*?)\s*>\s*(/proc/sys/\S+)")
ROUTE_MATTERS: Final = (
    "initcwnd",
    "initrwnd",
    "quickack",
    "advmss",
    "rto_min",
    "congctl",
    "features",
    "hoplimit",
)
"""Metrics of a route that change what TCP does."""
QUEUES_THAT_MATTER: Final = ("fq", "limit", "netem", "tbf", "htb")


BSD_SYSCTL: Final = re.compile(r"\b(?:net\.inet6?|kern\.ipc)\.")


def system_of(commands: Iterable[str]) -> str:
    """The profile of the system whose sysctls a script sets."""
    return "bsd" if any(BSD_SYSCTL.search(text) for text in commands) else "linux"


def run(settings: Settings, text: str) -> None:
    """Do what the lines of a command mean. Raises: Unsupported."""
    for line in SEPARATORS.split(ARITHMETIC.sub(_sum, text.replace("\\\n", " "))):
        line = line.partition("#")[0].strip()
        if line:
            _line(settings, line)


def _sum(match: "re.Match[str]") -> str:
    """$((4*1024)): products of numbers."""
    product = 1
    for factor in match[1].replace(" ", "").split("*"):
        if not factor.isdigit():
            raise Unsupported(f"arithmetic {match[0]}")
        product *= int(factor)
    return str(product)


def _line(settings: Settings, line: str) -> None:
    echoed = TO_FILE.match(line)
    if echoed is not None:
        set_sysctl(settings, echoed[2], echoed[1])
        return
    try:
        words = shlex.split(line.partition(">")[0])
    except ValueError:
        raise Unsupported(f"command {line!r}") from None
    if not words:
        return
    _command(settings, words)


def _command(settings: Settings, words: list[str]) -> None:
    name = words[0].rpartition("/")[2]
    if name in ("sysctl", "set_sysctls.py"):
        for word in words[1:]:
            if "=" in word:
                set_sysctl(settings, *word.split("=", 1))
    elif name == DEFAULTS:
        after = settings.profile.after_defaults
        changes = {name: getattr(after, name) for name in SET_BY_DEFAULTS}
        settings.parameters = replace(settings.parameters, **changes)
        settings.fast_open = DEFAULTS_FAST_OPEN
    elif name == "tc":
        _queue(words)
    elif name in ("ip", "ifconfig"):
        _route(settings, words)
    elif name == "nstat" and "|" in words:
        raise Unsupported("command nstat")
    elif name not in SILENT and not (name.endswith(".sh") and _is_set_up(name)):
        raise Unsupported(f"command {name}")


def state_asked(text: str) -> tuple[str, int] | None:
    """The state, and how many sockets in it, that BSD's `sockstat ... | grep -c STATE | grep N` wants."""
    found = SOCKSTAT.search(text)
    if found is None:
        return None
    return _state_named(found[1]), int(found[2])


def state_dropped(text: str) -> str | None:
    """The state whose connections BSD's `tcpdrop -s STATE` ends."""
    found = TCPDROP.match(text)
    return None if found is None else _state_named(found[1])


def _state_named(name: str) -> str:
    name = name.replace("_", "-")
    return SOCKSTAT_NAMES.get(name, name)


def is_nstat(text: str) -> bool:
    """Whether a command begins counting anew."""
    return text.split()[:1] == ["nstat"]


def counter_asked(text: str) -> SegmentDrop | None:
    """What `nstat | grep NAME` wants to have counted since the last nstat. Raises: Unsupported."""
    found = NSTAT.match(text)
    if found is None:
        return None
    if found[1] not in COUNTERS:
        raise Unsupported("command nstat")
    return COUNTERS[found[1]]


def _is_set_up(name: str) -> bool:
    return name.startswith(("sysctl_restore", "restore", "set_", "init", "cleanup", "setup", "common"))


def _queue(words: list[str]) -> None:
    """`tc qdisc`: a queue that paces, delays or loses."""
    for kind in QUEUES_THAT_MATTER:
        if kind in words and words[1:3] != ["qdisc", "del"] and words[1:3] != ["qdisc", "delete"]:
            raise Unsupported(f"tc {' '.join(words[words.index(kind) :])}")


def _route(settings: Settings, words: list[str]) -> None:
    """`ip route`: its metrics are settings too, and so is the MTU of a link. After `ip tcp_metrics flush`
    nothing is known of peers."""
    if words[1:3] == ["tcp_metrics", "flush"]:
        settings.metrics_flushes += 1
    if "mtu" in words[:-1]:
        value = words[words.index("mtu") + (2 if "lock" in words else 1)]
        if not value.isdigit():
            raise Unsupported(f"mtu {value}")
        if "route" in words:
            settings.path_mtu = int(value)
        else:
            settings.mtu = int(value)
    for metric in ROUTE_MATTERS:
        if metric not in words[:-1]:
            continue
        value = words[words.index(metric) + 1]
        if metric != "initcwnd":
            raise Unsupported(f"ip route {metric}")
        set_sysctl(settings, "net.ipv4.tcp_init_cwnd", value)
