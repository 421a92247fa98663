"""What a script sets before its events: options of its head, and where those of the sysctls are kept.

Source: the tool's published options.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.profiles import LINUX, PROFILES, Profile
from gossamer.core.packetdrill.sysctls.setters import deviating, number_of
from gossamer.core.records import replace
from gossamer.core.tcp.deviations import Deviations
from gossamer.core.tcp.parameters import TcpParameters

IPV4_HEADERS_BYTES: Final = 40
IPV6_HEADERS_BYTES: Final = 60
TOLERANCE_US: Final = 4000
TOLERANCE_PERCENT: Final = 12.5
"""The tool's own."""


class Settings(msgspec.Struct):
    """The settings of one run, as options and commands leave them."""

    profile: Profile = LINUX
    parameters: TcpParameters = LINUX.parameters
    mtu: int = 1500
    mss_option: int = 0
    ip_version: str = "ipv4"
    """ipv4, ipv6 or ipv4-mapped-ipv6."""
    bind_port: int = 8080
    connect_port: int = 8080
    tolerance_us: int = TOLERANCE_US
    tolerance_percent: float = TOLERANCE_PERCENT
    ts_tick_us: int = 0
    fast_open: int = 1
    """The bits of tcp_fastopen."""
    send_memory_bytes: tuple[int, int] | None = None
    """Where the send buffer of a connection begins, and its most, by tcp_wmem; None: octets are counted."""
    fast_open_key: bytes = b""
    """tcp_fastopen_key as it was written; b"": that of before any script."""
    reuses_time_wait: bool = False
    """tcp_tw_reuse: whether an active open may take over a flow in TIME-WAIT."""
    reuse_delay_us: int = 1_000_000
    """tcp_tw_reuse_delay: how long after the peer's last timestamp."""
    definitions: dict[str, str] = {}
    keepalive_idle_s: int = 7200
    """TCP_KEEPIDLE where a socket does not set it."""
    path_mtu: int = 0
    """What the route to the peer carries; 0: no less than the link."""
    metrics_flushes: int = 0
    """How often what is remembered of peers was thrown away."""
    is_strict_about_segments: bool = False
    """--strict_segments: text that is expected as one segment may not come in several."""

    @property
    def is_ipv6(self) -> bool:
        """Whether packets are."""
        return self.ip_version == "ipv6"

    @property
    def is_socket_ipv6(self) -> bool:
        """Whether sockets are."""
        return self.ip_version != "ipv4"

    @property
    def mss(self) -> int:
        """What we advertise."""
        headers = IPV6_HEADERS_BYTES if self.is_ipv6 else IPV4_HEADERS_BYTES
        return self.mtu - headers


# Options at the head of a script, and of the command line.


def _tolerance(settings: Settings, text: str) -> None:
    settings.tolerance_us = number_of(text)


def _version(settings: Settings, text: str) -> None:
    if text not in ("ipv4", "ipv6", "ipv4-mapped-ipv6"):
        raise Unsupported(f"option --ip_version={text}")
    settings.ip_version = text


def _define(settings: Settings, text: str) -> None:
    name, _, value = text.partition("=")
    settings.definitions = {**settings.definitions, name: value.strip('"`')}


def _assign(field: str, kind: Callable[[str], object] = number_of) -> Callable[[Settings, str], None]:
    return lambda settings, text: setattr(settings, field, kind(text))


def _profile(settings: Settings, text: str) -> None:
    if text not in PROFILES:
        raise Unsupported(f"option --profile={text}")
    settings.profile = PROFILES[text]
    settings.parameters = settings.profile.parameters


def _strict_segments(settings: Settings, _text: str) -> None:
    settings.is_strict_about_segments = True


def _parameter(settings: Settings, text: str) -> None:
    """NAME=VALUE of `TcpParameters`, an option of ours: for scripts about what a profile does otherwise."""
    name, _, value = text.partition("=")
    parameters = settings.parameters
    is_habit = name in Deviations.__struct_fields__
    before = getattr(parameters.deviations if is_habit else parameters, name, None)
    if not isinstance(before, bool | int | str):
        raise Unsupported(f"option --parameter={text}")
    found: bool | int | str = value if isinstance(before, str) else number_of(value)
    changed = {name: bool(found) if isinstance(before, bool) else found}
    settings.parameters = deviating(parameters, **changed) if is_habit else replace(parameters, **changed)


OPTIONS: Final[dict[str, Callable[[Settings, str], None]]] = {
    "ip_version": _version,
    "tolerance_usecs": _tolerance,
    "tolerance_percent": _assign("tolerance_percent", float),
    "mtu": _assign("mtu"),
    "mss": _assign("mss_option"),
    "bind_port": _assign("bind_port"),
    "connect_port": _assign("connect_port"),
    "tcp_ts_tick_usecs": _assign("ts_tick_us"),
    "profile": _profile,
    "parameter": _parameter,
    "strict_segments": _strict_segments,
    "define": _define,
    "D": _define,
}
WITHOUT_BEARING: Final = frozenset(
    {
        "local_ip", "remote_ip", "gateway_ip", "netmask_ip", "local_ipv6", "remote_ipv6",
        "local_linklayer", "speed", "init_scripts", "verbose", "debug", "dry_run", "send_omit_free",
        "non_fatal", "tcp_ts_ecr_scaled", "force_payload_size", "persistent_tun_dev",
        "wire_server_ip", "is_anyip",
    }
)  # fmt: skip
"""Addresses, and what is about the tool's own work."""


def set_option(settings: Settings, name: str, value: str) -> None:
    """Do what --name=value means. Raises: Unsupported."""
    if name in OPTIONS:
        OPTIONS[name](settings, value)
    elif name not in WITHOUT_BEARING:
        raise Unsupported(f"option --{name}")
