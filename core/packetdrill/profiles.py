"""Profiles: the habits of a system whose scripts are played. Order and padding of options, what the sysctls
are before a script sets any, when an ACK is not delayed, what errors are called.

Owns nothing of TCP: a profile is parameters of ours, and the little around the connection that an operating
system adds.

Source: Linux's Documentation/networking/ip-sysctl.rst and tcp(7); FreeBSD's tcp(4) and sysctl defaults.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.packetdrill.script import TcpOption
from gossamer.core.records import replace
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.deviations import Deviations
from gossamer.core.tcp.parameters import TcpParameters

NOP: Final = TcpOption("nop")
EOL: Final = TcpOption("eol")
KIB: Final = 1024

COOKIES: Final = ("FO", "FOEXP")

Layout = Callable[[dict[str, TcpOption]], tuple[TcpOption, ...]]
"""Options by name -> as they stand in a header."""


def linux_layout(found: dict[str, TcpOption]) -> tuple[TcpOption, ...]:
    """mss; sackOK and TS in one word pair, or TS padded; AccECN; sackOK padded; wscale; SACK; cookie."""
    laid: list[TcpOption] = []
    if "mss" in found:
        laid.append(found["mss"])
    if "TS" in found:
        laid += [found["sackOK"], found["TS"]] if "sackOK" in found else [NOP, NOP, found["TS"]]
    laid += _padded(found, "ECN")
    if "sackOK" in found and "TS" not in found:
        laid += [NOP, NOP, found["sackOK"]]
    if "wscale" in found:
        laid += [NOP, found["wscale"]]
    if "sack" in found:
        laid += [NOP, NOP, found["sack"]]
    return (*laid, *_cookie(found))


def bsd_layout(found: dict[str, TcpOption]) -> tuple[TcpOption, ...]:
    """mss, wscale, sackOK, TS, AccECN, SACK blocks, cookie, each padded before it, EOL at the end."""
    laid: list[TcpOption] = []
    if "mss" in found:
        laid.append(found["mss"])
    if "wscale" in found:
        laid += [NOP, found["wscale"]]
    if "sackOK" in found:
        laid.append(found["sackOK"])
    if "TS" in found:
        laid += [found["TS"]] if "sackOK" in found else [NOP, NOP, found["TS"]]
    laid += _padded(found, "ECN")
    if "sack" in found:
        laid += [NOP, NOP, found["sack"]]
    laid += [found[name] for name in COOKIES if name in found]
    return (*laid, *((EOL,) * (-sum(map(octets_of, laid)) % 4)))


def _cookie(found: dict[str, TcpOption]) -> tuple[TcpOption, ...]:
    return next((_padded(found, name) for name in COOKIES if name in found), ())


def _padded(found: dict[str, TcpOption], name: str) -> tuple[TcpOption, ...]:
    """An option that stands first of its words, if it is there."""
    return (found[name], *((NOP,) * (-octets_of(found[name]) % 4))) if name in found else ()


LENGTHS: Final = {
    "nop": 1,
    "eol": 1,
    "mss": 4,
    "wscale": 3,
    "sackOK": 2,
    "TS": 10,
    "FO": 2,
    "FOEXP": 4,
    "md5": 2,
}


def octets_of(option: TcpOption) -> int:
    """What an option takes of a header."""
    if option.name == "sack":
        return 2 + 4 * len(option.numbers)
    if option.name == "ECN":
        return 2 + 3 * (len(option.numbers) - 1)
    return LENGTHS[option.name] + len(option.octets)


class Profile(msgspec.Struct, frozen=True, gc=False):
    """The habits of one system."""

    name: str
    layout: Layout
    parameters: TcpParameters
    after_defaults: TcpParameters
    """What a script's defaults.sh makes of them."""
    acks_every_second: bool = False
    """Whether every second segment is acknowledged at once, whatever its size."""
    quick_acks: int = 0
    """How many of the first segments of a connection are acknowledged at once, before it proves to be a
    conversation."""
    hard_icmp_is_refused: bool = False
    """Any hard ICMP error shows as ECONNREFUSED, and two more are hard: a time that was exceeded under way
    (EHOSTUNREACH), and a next header of IPv6 that is not known."""
    drops_fast_open: bool = False
    """A client whose SYN brought neither a cookie nor its text across asks that server no more."""
    reset_after_fin_is_pipe: bool = True
    """A RST in CLOSE-WAIT shows as EPIPE rather than as ECONNRESET."""
    echoes_in_syn: bool = False
    """Whether a SYN that takes a flow over from TIME-WAIT echoes the peer's last timestamp."""
    keeps_text_at_reset: bool = False
    """What was received before a RST can still be read."""
    has_minshall: bool = True
    """Whether Nagle looks for small segments in flight rather than for any (Minshall's modification)."""
    accept_queue_extra: int = 1
    """How many more connections than `backlog` may wait for accept."""
    ephemeral_port: int = 32_768
    counts_cwnd_in_octets: bool = False
    """Whether TCP_INFO has cwnd and ssthresh in octets and not in segments."""


LINUX_PARAMETERS: Final = TcpParameters(
    receive_buffer_bytes=6_291_456,
    send_buffer_bytes=4 * KIB * KIB,
    congestion="cubic",
    nodelay=False,
    delayed_ack_us=40 * MILLISECOND_US,
    rto_variance_min_us=200 * MILLISECOND_US,
    rto_max_us=120 * SECOND_US,
    syn_retries=6,
    mtu_probing="off",
    keepalive_idle_us=NEVER_US,
    slow_start_limit=False,
    conservative_slow_start=False,
    second_reduction=False,
    growth_by_delivered=True,
    rack_rtt_by_sequence=True,
    window_probe="empty",
    ecn_on_all=True,
    rack_timer_grain_us=4 * MILLISECOND_US,
    syn_linear_retries=4,
    syn_text_apart=True,
    crossing_text=False,
    half_open_soft_errors=True,
)
"""tcp_rmem 4096 131072 6291456, tcp_wmem 4096 16384 4194304."""

BSD_PARAMETERS: Final = TcpParameters(
    syn_retries=12,
    receive_buffer_bytes=2 * KIB * KIB,
    send_buffer_bytes=2 * KIB * KIB,
    nodelay=False,
    delayed_ack_us=40 * MILLISECOND_US,
    rto_min_us=30 * MILLISECOND_US,
    rack=False,
    tail_loss_probe=False,
    forward_rto=False,
    mtu_probing="off",
    rto_max_us=64 * SECOND_US,
    keepalive_idle_us=NEVER_US,
    ecn_option=False,
    deviations=Deviations(
        syn_fin="open",
        receive_space_bytes=64 * KIB,
        repeats_fin=True,
        fin_despite_unread=True,
        syn_waits=True,
        ignores_late_syn=True,
        holds_syn_text=True,
        cwr_on_retransmission=True,
        ect_despite_mangling=True,
        counts_marked_syn=True,
        plain_time_wait=True,
        ecn_syns=2,
        syn_gives_up_us=75 * SECOND_US,
        rto_slop_us=200 * MILLISECOND_US,
    ),
)
"""kern.ipc.maxsockbuf 2 MiB, net.inet.tcp.rexmit_min 30 ms."""

LINUX: Final = Profile(
    "linux",
    linux_layout,
    LINUX_PARAMETERS,
    replace(
        LINUX_PARAMETERS,
        receive_buffer_bytes=15 * KIB * KIB,
        syn_retries=5,
        ecn="off",
        restart_after_idle=False,
    ),
    quick_acks=16,
    echoes_in_syn=True,
    keeps_text_at_reset=True,
)
BSD: Final = Profile(
    "bsd",
    bsd_layout,
    BSD_PARAMETERS,
    BSD_PARAMETERS,
    acks_every_second=True,
    hard_icmp_is_refused=True,
    drops_fast_open=True,
    reset_after_fin_is_pipe=False,
    has_minshall=False,
    accept_queue_extra=0,
    ephemeral_port=49_152,
    counts_cwnd_in_octets=True,
)
PROFILES: Final = {profile.name: profile for profile in (LINUX, BSD)}
