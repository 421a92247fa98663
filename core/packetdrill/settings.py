"""What a script sets before and beside its events: options of its head, sysctls, commands.

Owns which sysctl is which parameter of ours, which has no bearing here, and which asks for behaviour that
does not exist. What is in none of the tables is unsupported, by name.

Source: Linux's Documentation/networking/ip-sysctl.rst; the tool's published options.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from gossamer.core.clock import SECOND_US
from gossamer.core.errors import GossamerError
from gossamer.core.packetdrill import fastopen
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.profiles import LINUX, PROFILES, Profile
from gossamer.core.tcp.congestion.named import named
from gossamer.core.tcp.parameters import MILLISECOND_US, TcpParameters

replace = msgspec.structs.replace

IPV4_HEADERS_BYTES: Final = 40
IPV6_HEADERS_BYTES: Final = 60
TOLERANCE_US: Final = 4000
TOLERANCE_PERCENT: Final = 1.0


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
    definitions: dict[str, str] = {}

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


CONGESTION: Final = {"reno": "newreno", "newreno": "newreno"}


def congestion_name(name: str) -> str:
    """Our name of a congestion control. Raises: Unsupported."""
    ours = CONGESTION.get(name, name)
    if ":" in ours:
        raise Unsupported(f"congestion control {name}")
    try:
        named(ours)
    except (GossamerError, ValueError, KeyError):
        raise Unsupported(f"congestion control {name}") from None
    return ours


# Sysctls.

Setter = Callable[[TcpParameters, str], TcpParameters]


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise Mismatch(f"expected a number, got {text!r}") from None


def _truth(field: str) -> Setter:
    return lambda parameters, text: replace(parameters, **{field: _number(text) != 0})


def _scaled(field: str, unit: int, least: int = 0) -> Setter:
    return lambda parameters, text: replace(parameters, **{field: max(_number(text) * unit, least)})


def _third(field: str) -> Setter:
    """The largest of "least default largest"."""
    return lambda parameters, text: replace(parameters, **{field: _number(text.split()[-1])})


def _congestion(parameters: TcpParameters, text: str) -> TcpParameters:
    return replace(parameters, congestion=congestion_name(text))


ECN_MODES: Final[dict[str, Literal["off", "passive", "on"]]] = {"0": "off", "1": "on", "2": "passive"}


def _ecn(parameters: TcpParameters, text: str) -> TcpParameters:
    if text not in ECN_MODES:
        raise Unsupported(f"sysctl tcp_ecn={text}")
    return replace(parameters, ecn=ECN_MODES[text])


MTU_PROBING: Final[dict[str, Literal["off", "blackhole", "on"]]] = {"0": "off", "1": "blackhole", "2": "on"}


def _mtu_probing(parameters: TcpParameters, text: str) -> TcpParameters:
    if text not in MTU_PROBING:
        raise Unsupported(f"sysctl tcp_mtu_probing={text}")
    return replace(parameters, mtu_probing=MTU_PROBING[text])


def _rto_min(parameters: TcpParameters, text: str) -> TcpParameters:
    """Linux's least RTO is the least that it exceeds SRTT by."""
    least_us = max(_number(text), MILLISECOND_US)
    return replace(parameters, rto_min_us=least_us, rto_variance_min_us=least_us)


LINUX_SYSCTLS: Final[dict[str, Setter]] = {
    "tcp_sack": _truth("sack"),
    "tcp_timestamps": _truth("timestamps"),
    "tcp_window_scaling": _truth("window_scaling"),
    "tcp_ecn": _ecn,
    "tcp_recovery": lambda parameters, text: replace(parameters, rack=bool(_number(text) & 1)),
    "tcp_early_retrans": lambda parameters, text: replace(parameters, tail_loss_probe=_number(text) >= 3),
    "tcp_frto": _truth("forward_rto"),
    "tcp_dsack": _truth("dsack"),
    "tcp_slow_start_after_idle": _truth("restart_after_idle"),
    "tcp_mtu_probing": _mtu_probing,
    "tcp_rmem": _third("receive_buffer_bytes"),
    "tcp_wmem": _third("send_buffer_bytes"),
    "tcp_syn_retries": _scaled("syn_retries", 1),
    "tcp_synack_retries": _scaled("synack_retries", 1),
    "tcp_retries2": _scaled("retries", 1),
    "tcp_fin_timeout": _scaled("fin_wait_2_us", SECOND_US),
    "tcp_keepalive_intvl": _scaled("keepalive_interval_us", SECOND_US),
    "tcp_keepalive_probes": _scaled("keepalive_probes", 1),
    "tcp_congestion_control": _congestion,
    "tcp_init_cwnd": _scaled("initial_window_segments", 1),
    "tcp_rto_min_us": _rto_min,
    "tcp_rto_max_ms": _scaled("rto_max_us", MILLISECOND_US),
    "tcp_invalid_ratelimit": _scaled("challenge_interval_us", MILLISECOND_US),
    "tcp_max_tw_buckets": _scaled("time_wait_max", 1),
    "tcp_max_syn_backlog": _scaled("syn_backlog", 1),
}

BSD_SYSCTLS: Final[dict[str, Setter]] = {
    "net.inet.tcp.sack.enable": _truth("sack"),
    "net.inet.tcp.rfc1323": lambda parameters, text: replace(
        parameters, timestamps=_number(text) in (1, 3), window_scaling=_number(text) in (1, 2)
    ),
    "kern.ipc.maxsockbuf": lambda parameters, text: replace(
        parameters, receive_buffer_bytes=_number(text), send_buffer_bytes=_number(text)
    ),
    "net.inet.tcp.ecn.enable": lambda parameters, text: _ecn(parameters, text),
    "net.inet.tcp.msl": _scaled("time_wait_us", 2 * MILLISECOND_US),
    "net.inet.tcp.syncache.rexmtlimit": _scaled("synack_retries", 1),
    "net.inet.tcp.keepidle": lambda parameters, _text: parameters,
    "net.inet.tcp.delacktime": _scaled("delayed_ack_us", MILLISECOND_US),
    "net.inet.tcp.delayed_ack": lambda parameters, text: (
        parameters if _number(text) else replace(parameters, delayed_ack_us=0)
    ),
    "net.inet.tcp.initcwnd_segments": _scaled("initial_window_segments", 1),
    "net.inet.tcp.rexmit_min": _scaled("rto_min_us", MILLISECOND_US),
    "net.inet.tcp.cc.algorithm": _congestion,
    "net.inet.tcp.finwait2_timeout": _scaled("fin_wait_2_us", MILLISECOND_US),
    "net.inet.tcp.keepintvl": _scaled("keepalive_interval_us", MILLISECOND_US),
    "net.inet.tcp.keepcnt": _scaled("keepalive_probes", 1),
}

NO_BEARING: Final = frozenset(
    {
        "tcp_tso_win_divisor", "tcp_min_tso_segs", "tcp_limit_output_bytes", "tcp_moderate_rcvbuf",
        "tcp_fack", "tcp_pacing_ss_ratio", "tcp_pacing_ca_ratio", "tcp_no_metrics_save",
        "tcp_notsent_lowat", "tcp_mem", "tcp_autocorking", "tcp_app_win", "tcp_adv_win_scale",
        "tcp_low_latency", "tcp_retries1", "tcp_orphan_retries", "tcp_tw_reuse", "tcp_tw_recycle",
        "tcp_thin_linear_timeouts", "tcp_thin_dupack", "tcp_max_orphans", "tcp_max_reordering",
        "tcp_comp_sack_nr", "tcp_comp_sack_delay_ns", "tcp_comp_sack_slack_ns", "tcp_rfc1337",
        "tcp_challenge_ack_limit", "tcp_keepalive_time", "tcp_available_congestion_control",
        "tcp_tso_rtt_log", "tcp_allowed_congestion_control", "tcp_workaround_signed_windows",
        "tcp_reflect_tos", "tcp_early_demux", "tcp_backlog_ack_defer", "ip_local_port_range",
        "tcp_fastopen_key", "tcp_fastopen_blackhole_timeout_sec",
        "tcp_fastopen_blackhole_detect_timeout_sec", "tcp_l3mdev_accept", "tcp_tso_allow_defer",
        "tcp_probe_interval", "tcp_probe_threshold", "tcp_base_mss", "tcp_mtu_probe_floor",
        "tcp_pingpong_thresh", "tcp_default_init_rwnd", "ip_no_pmtu_disc", "tcp_migrate_req",
        "tcp_plb_enabled",
        "tcp_syncookies",
        "tcp_min_snd_mss", "tcp_min_rtt_wlen", "tcp_ecn_fallback",
    }
)  # fmt: skip
"""They tell how Linux does its work, or name what is always on, or always off, here."""

HARMLESS: Final = {
    "tcp_abort_on_overflow": ("0",),
    "tcp_stdurg": ("0",),
    "tcp_reordering": ("3",),
    "tcp_shrink_window": ("0",),
    "tcp_syn_linear_timeouts": ("0", "4"),
    "tcp_fwmark_accept": ("0",),
    "tcp_thin_linear_timeouts": ("0",),
}
"""Values that ask for nothing that does not exist here."""

BSD_FAST_OPEN: Final = {
    "net.inet.tcp.fastopen.client_enable": fastopen.CLIENT,
    "net.inet.tcp.fastopen.server_enable": fastopen.SERVER,
}
BSD_NO_BEARING: Final = (
    "hostcache.", "log_", "recvspace", "sendspace", "recvbuf_", "sendbuf_", "reass.", "functions_", "bb.",
    "abc_l_var", "syncookies", "hpts.", "path_mtu_discovery", "icmp_may_rst", "ack_war", "finwait2", "rack.",
    "always_keepalive", "drop", "nolocaltimewait", "tso", "minmss", "mssdflt", "v6mssdflt", "per_cpu_timers",
    "require_unique_port", "soreceive_stream", "syncache.", "isn_reseed_interval", "rexmit_slop", "cubic.",
    "cc.available", "cc.newreno", "newcwd", "do_prr", "do_lrd", "rfc3042", "rfc3390", "rfc6675_pipe",
    "rfc3465",
    "tolerate_missing_ts", "ts_offset_per_conn", "sack.", "keepinit",
)  # fmt: skip
"""Beginnings of names below net.inet.tcp.: what is always so here, or does not show on the wire."""
BSD_HARMLESS: Final = {
    "rexmit_initial": "1000",
    "insecure_rst": "0",
    "insecure_syn": "0",
    "insecure_ack": "0",
    "blackhole": "0",
    "pmtud_blackhole_detection": "0",
    "ecn.generalized": "0",
}


def _is_harmless_bsd(name: str, value: str) -> bool:
    short = name.removeprefix("net.inet.tcp.")
    return BSD_HARMLESS.get(short) == value or short.startswith(BSD_NO_BEARING)


FAST_OPEN: Final = "net.ipv4.tcp_fastopen"
FAMILIES: Final = ("net.ipv4.", "net.ipv6.")


def set_sysctl(settings: Settings, name: str, value: str) -> None:
    """Do what a sysctl means. Raises: Unsupported."""
    name = name.strip().replace("/", ".").removeprefix(".proc.sys.").removeprefix("proc.sys.")
    value = " ".join(value.strip().strip("\"'").split())
    if name == FAST_OPEN:
        settings.fast_open = _number(value)
        return
    if name in BSD_SYSCTLS:
        settings.parameters = BSD_SYSCTLS[name](settings.parameters, value)
        return
    if name in BSD_FAST_OPEN:
        bit = BSD_FAST_OPEN[name]
        settings.fast_open = settings.fast_open | bit if _number(value) else settings.fast_open & ~bit
        return
    if name.startswith("net.inet.tcp.") and not _is_harmless_bsd(name, value):
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


# Options at the head of a script, and of the command line.


def _tolerance(settings: Settings, text: str) -> None:
    settings.tolerance_us = _number(text)


def _version(settings: Settings, text: str) -> None:
    if text not in ("ipv4", "ipv6", "ipv4-mapped-ipv6"):
        raise Unsupported(f"option --ip_version={text}")
    settings.ip_version = text


def _define(settings: Settings, text: str) -> None:
    name, _, value = text.partition("=")
    settings.definitions = {**settings.definitions, name: value.strip('"`')}


def _assign(field: str, kind: Callable[[str], object] = _number) -> Callable[[Settings, str], None]:
    return lambda settings, text: setattr(settings, field, kind(text))


def _profile(settings: Settings, text: str) -> None:
    if text not in PROFILES:
        raise Unsupported(f"option --profile={text}")
    settings.profile = PROFILES[text]
    settings.parameters = settings.profile.parameters


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
    "define": _define,
    "D": _define,
}
WITHOUT_BEARING: Final = frozenset(
    {
        "local_ip", "remote_ip", "gateway_ip", "netmask_ip", "local_ipv6", "remote_ipv6",
        "local_linklayer", "speed", "init_scripts", "verbose", "debug", "dry_run", "send_omit_free",
        "non_fatal", "strict_segments", "tcp_ts_ecr_scaled", "force_payload_size", "persistent_tun_dev",
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
