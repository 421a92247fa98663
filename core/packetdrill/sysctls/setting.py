"""Finds what a sysctl means, whatever the system it belongs to."""

from typing import Final

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.settings import Settings
from gossamer.core.packetdrill.sysctls.bsd import BSD_FAST_OPEN, BSD_SYSCTLS, is_harmless
from gossamer.core.packetdrill.sysctls.linux import HARMLESS, LINUX_SYSCTLS, NO_BEARING
from gossamer.core.packetdrill.sysctls.setters import number_of

FAST_OPEN: Final = "net.ipv4.tcp_fastopen"
KEEPALIVE_IDLE: Final = {"net.ipv4.tcp_keepalive_time": 1, "net.inet.tcp.keepidle": 1000}
"""Parts of a second that it counts: SO_KEEPALIVE alone puts it into effect."""
FAMILIES: Final = ("net.ipv4.", "net.ipv6.")


def set_sysctl(settings: Settings, name: str, value: str) -> None:
    """Do what a sysctl means. Raises: Unsupported."""
    name = name.strip().replace("/", ".").removeprefix(".proc.sys.").removeprefix("proc.sys.")
    value = " ".join(value.strip().strip("\"'").split())
    if name == FAST_OPEN:
        settings.fast_open = number_of(value)
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
