"""What a user may set for one connection, and how the connection's parameters follow from it.

Owns the names, their bounds, and the one error for an invalid value. The same names hold on either stack:
`core.tcp.calls.option` obeys them here, `core.loop.sock.option` sets them in the kernel.

Source: RFC 9293 3.9.1, RFC 5482; tcp(7) and socket(7) for the names.
"""

from functools import lru_cache
from typing import Final

import msgspec

from gossamer.core.tcp.congestion.named import UnknownCongestionControl, named
from gossamer.core.tcp.constants import MSS_FLOOR
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, PARAMETER_BOUNDS, Bounds, TcpParameters


class SocketOptions(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Options of a connection; None leaves one as it is. Raises: ValueError for a value out of bounds."""

    nodelay: bool | None = None
    """TCP_NODELAY: small segments are not held back for an ACK (the Nagle algorithm is off)."""
    quickack: bool | None = None
    """TCP_QUICKACK: every segment is acknowledged at once. Differs: here it stays so; a kernel forgets it."""
    keepalive_idle_us: int | None = None
    """SO_KEEPALIVE and TCP_KEEPIDLE: idle time before the first probe; NEVER_US is off."""
    keepalive_interval_us: int | None = None
    """TCP_KEEPINTVL: between probes."""
    keepalive_probes: int | None = None
    """TCP_KEEPCNT: unanswered probes before the peer is taken for dead."""
    user_timeout_us: int | None = None
    """TCP_USER_TIMEOUT: how long what was sent may stay unacknowledged; NEVER_US leaves it to the number of
    retransmissions."""
    linger_us: int | None = None
    """SO_LINGER: how long close waits until all is acknowledged, and aborts then; 0 aborts at once, NEVER_US
    does not wait."""
    notsent_lowat_bytes: int | None = None
    """TCP_NOTSENT_LOWAT: a send takes octets only while fewer than so many wait that were never sent; 2**30
    leaves it to the buffer."""
    maxseg_bytes: int | None = None
    """TCP_MAXSEG: no segment we send is larger, options included; it only ever lowers the size."""
    congestion: str | None = None
    """TCP_CONGESTION: the congestion control."""
    dscp: int | None = None
    """The upper six bits of IP_TOS and IPV6_TCLASS: the Diffserv field of what we send."""

    def __post_init__(self) -> None:
        for name, bounds in OPTION_BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not (type(value) is int and bounds.least <= value <= bounds.most):
                raise ValueError(f"{name} = {value!r}: from {bounds.least} to {bounds.most} is allowed")
        for name in ("nodelay", "quickack"):
            if getattr(self, name) not in (None, True, False):
                raise ValueError(f"{name} = {getattr(self, name)!r}: True or False is allowed")
        if self.congestion is not None:
            _check_congestion(self.congestion)


def _check_congestion(name: str) -> None:
    try:
        named(name)
    except UnknownCongestionControl as error:
        raise ValueError(f"congestion = {name!r}: {error}") from error


@lru_cache(maxsize=256)
def parameters_with(parameters: TcpParameters, options: SocketOptions) -> TcpParameters:
    """The parameters of a connection whose user has set options. Connections that set the same share one
    record."""
    changes = {name: getattr(options, name) for name in SHARED_NAMES}
    if options.quickack is not None:
        changes["delayed_ack_us"] = 0 if options.quickack else DEFAULT_PARAMETERS.delayed_ack_us
    return msgspec.structs.replace(
        parameters, **{name: value for name, value in changes.items() if value is not None}
    )


def options_of(parameters: TcpParameters, maxseg_bytes: int) -> SocketOptions:
    """What holds for a connection with these parameters and that size of segments."""
    return SocketOptions(
        **{name: getattr(parameters, name) for name in SHARED_NAMES},
        quickack=parameters.delayed_ack_us == 0,
        maxseg_bytes=max(maxseg_bytes, MSS_FLOOR),
    )


SHARED_NAMES = frozenset(SocketOptions.__struct_fields__) & frozenset(TcpParameters.__struct_fields__)
"""The options that are parameters by the same name."""

OPTION_BOUNDS: Final[dict[str, Bounds]] = {
    "maxseg_bytes": PARAMETER_BOUNDS["mss"],
    **{name: bounds for name, bounds in PARAMETER_BOUNDS.items() if name in SHARED_NAMES},
}
"""What a user may set of one connection: what an operator may set for all."""

NO_OPTIONS = SocketOptions()
"""Changes nothing."""
