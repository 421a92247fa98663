"""The options and the state of a kernel socket, by the names of the functional TCP.

Owns which option of tcp(7) and socket(7) is meant by each name of `SocketOptions`, and the layout of struct
tcp_info. Whether a value is allowed was decided when the record was made.

Source: tcp(7), socket(7), linux/tcp.h.
"""

import errno
import os
import socket
import struct
from collections.abc import Mapping
from socket import IPPROTO_TCP, SO_ERROR, SO_KEEPALIVE, SO_LINGER, SOL_SOCKET, SocketType
from typing import Any, Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.loop.sock.call import Connection, SockGetInfo, SockGetOptions, SockSetOptions
from gossamer.core.loop.streamcall import stream_closed
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.info import CLOSED_NUMBER, TcpInfo
from gossamer.core.tcp.parameters import NOTSENT_UNLIMITED
from gossamer.core.tcp.socket_options import OPTION_BOUNDS, SocketOptions
from gossamer.core.threads.systemcall import Handler, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.segment import ECN_BITS

TIMES: Final = {
    "keepalive_idle_us": (socket.TCP_KEEPIDLE, SECOND_US, 32_767),
    "keepalive_interval_us": (socket.TCP_KEEPINTVL, SECOND_US, 32_767),
    "user_timeout_us": (socket.TCP_USER_TIMEOUT, MILLISECOND_US, (1 << 31) - 1),
}
"""Which option of tcp(7), its unit, and the most that Linux takes (net/ipv4/tcp.c: MAX_TCP_KEEPIDLE)."""

NUMBERS: Final = {
    "nodelay": socket.TCP_NODELAY,
    "quickack": socket.TCP_QUICKACK,
    "keepalive_probes": socket.TCP_KEEPCNT,
    "maxseg_bytes": socket.TCP_MAXSEG,
    "notsent_lowat_bytes": socket.TCP_NOTSENT_LOWAT,
}
TRAFFIC_CLASS: Final[dict[int, tuple[tuple[int, int], ...]]] = {
    socket.AF_INET: ((socket.IPPROTO_IP, socket.IP_TOS),),
    # The second is for IPv4 addresses in an IPv6 socket.
    socket.AF_INET6: ((socket.IPPROTO_IPV6, socket.IPV6_TCLASS), (socket.IPPROTO_IP, socket.IP_TOS)),
}
"""Where each family has the Diffserv field, as ip(7) and ipv6(7) name it; the kernel keeps ECN to itself."""
PROBES_MAX: Final = 127
"""MAX_TCP_KEEPCNT of Linux."""

KERNEL_NAMES: Final = {"newreno": "reno"}
"""Where a congestion control is called otherwise in the kernel."""
OUR_NAMES: Final = {kernel: ours for ours, kernel in KERNEL_NAMES.items()}
NAME_BYTES: Final = 16

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
NO_LINGER: Final = struct.pack("ii", 0, 0)

HEAD: Final = struct.Struct("=8B")
TAIL: Final = tuple(
    (name, kind)
    for kind, names in (
        ("I", "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets"),
        ("I", "last_data_sent last_ack_sent last_data_recv last_ack_recv"),
        ("I", "pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space"),
        ("I", "total_retrans"),
        ("Q", "pacing_rate max_pacing_rate bytes_acked bytes_received"),
        ("I", "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
        ("Q", "delivery_rate busy_time rwnd_limited sndbuf_limited"),
        ("I", "delivered delivered_ce"),
        ("Q", "bytes_sent bytes_retrans"),
        ("I", "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    )
    for name in names.split()
)
"""The fields behind the first eight bytes: without gaps, each at a multiple of its size."""
INFO_BYTES_MAX: Final = 512


def set_option(sock: SocketType, options: SocketOptions) -> None:
    """Set them in the kernel; linger only when it is 0, as a close that waits would stop the whole process.
    Raises: OSError."""
    for name, number in NUMBERS.items():
        value = getattr(options, name)
        if value is not None:
            sock.setsockopt(IPPROTO_TCP, number, min(value, PROBES_MAX) if "probes" in name else int(value))
    for name, (number, unit_us, limit) in TIMES.items():
        _set_time(sock, name, number, getattr(options, name), unit_us, limit)
    if options.linger_us is not None:
        sock.setsockopt(SOL_SOCKET, SO_LINGER, NO_LINGER if options.linger_us else RESET_ON_CLOSE)
    if options.dscp is not None:
        for level, number in TRAFFIC_CLASS[sock.family]:
            sock.setsockopt(level, number, options.dscp << ECN_BITS)
    if options.congestion is not None:
        known = KERNEL_NAMES.get(options.congestion, options.congestion)
        sock.setsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, known.encode())


def _set_time(
    sock: SocketType, name: str, number: int, value_us: int | None, unit_us: int, limit: int
) -> None:
    if value_us is None:
        return
    is_never = value_us >= NEVER_US
    if name == "keepalive_idle_us":
        sock.setsockopt(SOL_SOCKET, SO_KEEPALIVE, not is_never)
    if name == "user_timeout_us" and is_never:
        sock.setsockopt(IPPROTO_TCP, number, 0)
    elif not is_never:
        sock.setsockopt(IPPROTO_TCP, number, min(-(-value_us // unit_us), limit))


def get_options(sock: SocketType, linger_us: int) -> SocketOptions:
    """What the kernel answers. Raises: OSError."""
    found: dict[str, Any] = {name: sock.getsockopt(IPPROTO_TCP, number) for name, number in NUMBERS.items()}
    for name, (number, unit_us, _) in TIMES.items():
        found[name] = sock.getsockopt(IPPROTO_TCP, number) * unit_us or NEVER_US
    if not sock.getsockopt(SOL_SOCKET, SO_KEEPALIVE):
        found["keepalive_idle_us"] = NEVER_US
    name = sock.getsockopt(IPPROTO_TCP, socket.TCP_CONGESTION, NAME_BYTES).rstrip(b"\0").decode()
    found["dscp"] = sock.getsockopt(*TRAFFIC_CLASS[sock.family][0]) >> ECN_BITS
    least, most = OPTION_BOUNDS["maxseg_bytes"]
    found["maxseg_bytes"] = min(max(found["maxseg_bytes"], least), most)
    # 0 and what is beyond our bound say that none was set.
    lowat = found["notsent_lowat_bytes"]
    found["notsent_lowat_bytes"] = lowat if 0 < lowat < NOTSENT_UNLIMITED else NOTSENT_UNLIMITED
    found["nodelay"], found["quickack"] = bool(found["nodelay"]), bool(found["quickack"])
    # A name that only the kernel knows is none of ours: it is left out.
    try:
        return SocketOptions(**found, linger_us=linger_us, congestion=OUR_NAMES.get(name, name))
    except ValueError:
        return SocketOptions(**found, linger_us=linger_us)


def read_info(sock: SocketType) -> TcpInfo:
    """TCP_INFO. What the kernel is too old to report is None. Raises: OSError."""
    data = sock.getsockopt(IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES_MAX)
    state, ca_state, retransmits, probes, backoff, options, scales, _ = HEAD.unpack_from(data)
    fields: dict[str, int] = {}
    position = HEAD.size
    for name, kind in TAIL:
        size = struct.calcsize(kind)
        if position + size > len(data):
            break
        (fields[f"tcpi_{name}"],) = struct.unpack_from(f"={kind}", data, position)
        position += size
    return TcpInfo(
        tcpi_state=state,
        tcpi_ca_state=ca_state,
        tcpi_retransmits=retransmits,
        tcpi_probes=probes,
        tcpi_backoff=backoff,
        tcpi_options=options,
        tcpi_snd_wscale=scales & 0x0F,
        tcpi_rcv_wscale=scales >> 4,
        **fields,
    )


# The calls.


def _set_options(_thread: Thread[Any], call: SockSetOptions) -> None:
    connection = call.connection
    _check_open(connection)
    set_option(connection.sock, call.options)
    keep_linger(connection, call.options)


def keep_linger(connection: Connection, options: SocketOptions) -> None:
    """Remember how long a close waits, which is not set in the kernel."""
    if options.linger_us is not None:
        connection.linger_us = options.linger_us


def _get_options(_thread: Thread[Any], call: SockGetOptions) -> SocketOptions:
    _check_open(call.connection)
    return get_options(call.connection.sock, call.connection.linger_us)


def _get_info(_thread: Thread[Any], call: SockGetInfo) -> TcpInfo:
    if call.connection.is_closed:
        return TcpInfo(tcpi_state=CLOSED_NUMBER)
    return read_info(call.connection.sock)


def _check_open(connection: Connection) -> None:
    """Raises: OSError once it is over, or closed by its user."""
    if connection.is_closed:
        raise stream_closed()
    if connection.sock.getsockopt(IPPROTO_TCP, socket.TCP_INFO, 1)[0] != CLOSED_NUMBER:
        return
    code = connection.ended_by or connection.sock.getsockopt(SOL_SOCKET, SO_ERROR)
    raise connection.end(OSError(code or errno.EPIPE, os.strerror(code or errno.EPIPE)))


OPTION_HANDLERS: Final[Mapping[type[SystemCall[Any]], Handler]] = {
    SockSetOptions: _set_options,
    SockGetOptions: _get_options,
    SockGetInfo: _get_info,
}
