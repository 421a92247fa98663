"""Finds what a sysctl means, whatever the system it belongs to."""

from collections.abc import Callable
from typing import Final

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.settings import Settings
from gossamer.core.packetdrill.sysctls.bsd import BSD_FAST_OPEN, BSD_SYSCTLS, is_harmless
from gossamer.core.packetdrill.sysctls.linux import HARMLESS, LINUX_SYSCTLS, NO_BEARING
from gossamer.core.packetdrill.sysctls.setters import number_of
from gossamer.core.records import replace
from gossamer.core.tcp.constants import MILLISECOND_US

KEEPALIVE_IDLE: Final = {"net.ipv4.tcp_keepalive_time": 1, "net.inet.tcp.keepidle": 1000}
"""Parts of a second that it counts: SO_KEEPALIVE alone puts it into effect."""


def _fast_open(settings: Settings, value: str) -> None:
    settings.fast_open = number_of(value)


def _cookies_kept(settings: Settings, value: str) -> None:
    # How many a client keeps, in kernels that had it: 0 throws them away.
    settings.metrics_flushes += number_of(value) == 0


def _fast_open_key(settings: Settings, value: str) -> None:
    settings.fast_open_key = value.encode()


def _send_memory(settings: Settings, value: str) -> None:
    sizes = [number_of(word) for word in value.split()] or [0]
    settings.parameters = replace(settings.parameters, send_buffer_bytes=sizes[-1])
    settings.send_memory_bytes = (sizes[len(sizes) // 2], sizes[-1])


def _tw_reuse(settings: Settings, value: str) -> None:
    # 2, the default, is for loopback.
    settings.reuses_time_wait = number_of(value) == 1


def _tw_reuse_delay(settings: Settings, value: str) -> None:
    settings.reuse_delay_us = number_of(value) * MILLISECOND_US


SETTINGS: Final[dict[str, Callable[[Settings, str], None]]] = {
    "net.ipv4.tcp_fastopen": _fast_open,
    "net.ipv4.tcp_fastopen_cookies": _cookies_kept,
    "net.ipv4.tcp_fastopen_key": _fast_open_key,
    "net.ipv4.tcp_tw_reuse": _tw_reuse,
    "net.ipv4.tcp_wmem": _send_memory,
    "net.ipv4.tcp_tw_reuse_delay": _tw_reuse_delay,
}
"""What is no parameter of a connection."""
FAMILIES: Final = ("net.ipv4.", "net.ipv6.")


def set_sysctl(settings: Settings, name: str, value: str) -> None:
    """Do what a sysctl means. Raises: Unsupported."""
    name = name.strip().replace("/", ".").removeprefix(".proc.sys.").removeprefix("proc.sys.")
    value = " ".join(value.strip().strip("\"'").split())
    if name in SETTINGS:
        SETTINGS[name](settings, value)
        return
    if name in KEEPALIVE_IDLE:
        settings.keepalive_idle_s = max(number_of(value) // KEEPALIVE_IDLE[name], 1)
        return
    if name in BSD_SYSCTLS:
        settings.parameters = BSD_SYSCTLS[name](settings.parameters, value)
        return
    if name in BSD_FAST_OPEN:
        bit = BSD_FAST_OPEN[name]
        settings.fast_open = settings.fast_open | bit if number_of(value) else settings.fast_open & ~bit
        return
    if name.startswith("net.inet.tcp.") and not is_harmless(name, value):
        raise Unsupported(f"sysctl {name}={value}")
    if name.startswith(
        ("net.core.", "net.inet.", "net.mptcp.", "kern.ipc.", "vm.", "net.ipv4.conf.", "net.ipv6.conf.")
    ):
        if name.startswith("net.mptcp"):
            raise Unsupported(f"sysctl {name}")
        return
    short = next((name.removeprefix(family) for family in FAMILIES if name.startswith(family)), name)
    if short in LINUX_SYSCTLS:
        settings.parameters = LINUX_SYSCTLS[short](settings.parameters, value)
    elif value in HARMLESS.get(short, ()):
        return
    elif short not in NO_BEARING:
        raise Unsupported(f"sysctl {name}={value}")
