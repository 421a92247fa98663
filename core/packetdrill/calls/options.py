"""setsockopt and getsockopt: each option by its name.

Owns which options change a parameter of the connection, which are only remembered, and which do not exist
here. An option that is only remembered would change nothing of TCP's behaviour on the wire.

Source: socket(7), tcp(7), ip(7), ipv6(7).
"""

import errno
from collections.abc import Callable
from typing import Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.packetdrill import tcpinfo
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Array, Braces, Call, Expression, Named, Whatever
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.symbols import PATH_MTU_DISCOVERY
from gossamer.core.packetdrill.sysctls.setters import congestion_name, lowat_bytes
from gossamer.core.packetdrill.world import OK, CallResult, ScriptWorld, failed
from gossamer.core.records import replace
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.core.tcp.path_mtu import header_bytes
from gossamer.core.tcp.tcb import State
from gossamer.core.wire.segment import ECN_BITS

REMEMBERED: Final = frozenset(
    {
        "SO_REUSEADDR", "SO_REUSEPORT", "SO_PRIORITY", "SO_MARK", "SO_KEEPALIVE", "SO_BUSY_POLL",
        "SO_DEBUG", "SO_INCOMING_CPU", "SO_RCVLOWAT", "SO_SNDLOWAT",
        "SO_OOBINLINE", "SO_DONTROUTE", "IP_TOS", "IP_TTL", "IP_FREEBIND", "IP_TRANSPARENT",
        "IP_RECVERR", "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER",
        "IP_BIND_ADDRESS_NO_PORT", "IP_LOCAL_PORT_RANGE", "IPV6_V6ONLY", "IPV6_TCLASS", "IPV6_UNICAST_HOPS",
        "IPV6_RECVERR", "IPV6_FLOWINFO_SEND", "TCP_INQ", "TCP_NOTSENT_LOWAT", "TCP_WINDOW_CLAMP",
        "TCP_DEFER_ACCEPT",
        "TCP_THIN_DUPACK", "TCP_TIMESTAMP", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT",
        "TCP_NODELAY", "TCP_CORK", "TCP_QUICKACK", "TCP_LINGER2", "TCP_SYNCNT", "TCP_MAXSEG",
        "TCP_KEEPINIT",
        "TCP_USER_TIMEOUT", "SO_RCVBUF", "SO_SNDBUF", "SO_RCVBUFFORCE", "SO_SNDBUFFORCE", "SO_NO_CHECK",
        "SO_TXREHASH", "SO_ZEROCOPY", "TCP_FASTOPEN_CONNECT",
    }
)  # fmt: skip
FAST_OPEN_KEYS_BYTES: Final = (16, 32)
DEFAULTS: Final = {
    "TCP_KEEPIDLE": 7200,
    "TCP_KEEPINTVL": 75,
    "TCP_KEEPCNT": 9,
    "TCP_SYNCNT": 6,
    "IP_TTL": DEFAULT_PARAMETERS.ttl,
    "IPV6_UNICAST_HOPS": DEFAULT_PARAMETERS.ttl,
}


def _flag(world: ScriptWorld, made: Socket, name: str, value: int) -> None:
    if name == "TCP_NODELAY":
        world.change(made, nodelay=bool(value))
    if not value or name == "TCP_NODELAY":
        world.uncork(made)


def _buffer(world: ScriptWorld, made: Socket, name: str, value: int) -> None:
    field = "receive_buffer_bytes" if "RCV" in name else "send_buffer_bytes"
    if field == "send_buffer_bytes" and made.memory is not None:
        made.memory.set(value)
        return
    # Linux doubles what is asked for, for its own bookkeeping: that much of it is payload.
    changes: dict[str, object] = {field: max(value, 2048 if "RCV" in name else 4608)}
    deviations = made.parameters.deviations
    if "RCV" in name and deviations.receive_space_bytes:
        changes["deviations"] = replace(deviations, receive_space_bytes=value)
    world.change(made, **changes)


def _keepalive(world: ScriptWorld, made: Socket, name: str, value: int) -> None:
    if name != "SO_KEEPALIVE":
        made.keepalive[name] = value
    on = made.options.get("SO_KEEPALIVE", 0)
    times = {**_keepalive_times(world), **made.keepalive}
    world.change(
        made,
        keepalive_idle_us=times["TCP_KEEPIDLE"] * SECOND_US if on else NEVER_US,
        keepalive_interval_us=times["TCP_KEEPINTVL"] * SECOND_US,
        keepalive_probes=times["TCP_KEEPCNT"],
    )


def _keepalive_times(world: ScriptWorld) -> dict[str, int]:
    """What the sysctls say."""
    settings = world.settings
    return {
        "TCP_KEEPINIT": settings.parameters.deviations.syn_gives_up_us // SECOND_US,
        "TCP_KEEPIDLE": settings.keepalive_idle_s,
        "TCP_KEEPINTVL": settings.parameters.keepalive_interval_us // SECOND_US,
        "TCP_KEEPCNT": settings.parameters.keepalive_probes,
    }


def _keepalive_of_opening(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    world.change(made, deviations=replace(made.parameters.deviations, syn_gives_up_us=value * SECOND_US))


def _quick_ack(_world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    if made.endpoint is not None:
        made.endpoint.habit.be_quick(bool(value))


def _user_timeout(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    world.change(made, user_timeout_us=value * MILLISECOND_US if value else NEVER_US)


def _linger2(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    world.change(made, fin_wait_2_us=max(value, 0) * SECOND_US)


def _syn_count(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    world.change(made, syn_retries=value)


def _traffic_class(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    # Its lower two bits are ECN's (RFC 2474 3).
    world.change(made, dscp=value >> ECN_BITS)


def _hop_limit(_world: ScriptWorld, _made: Socket, name: str, value: int) -> None:
    if value not in (-1, DEFAULT_PARAMETERS.ttl):
        raise Unsupported(f"option {name} {value}")


def _path_mtu_discovery(_world: ScriptWorld, _made: Socket, name: str, value: int) -> None:
    if value not in (PATH_MTU_DISCOVERY["IP_PMTUDISC_WANT"], PATH_MTU_DISCOVERY["IP_PMTUDISC_DO"]):
        raise Unsupported(f"option {name} {value}")


def _defer_accept(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    world.change(made, defer_accept_us=max(value, 0) * SECOND_US)


def _notsent_lowat(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    world.change(made, notsent_lowat_bytes=lowat_bytes(value))


def _maximum_segment(world: ScriptWorld, made: Socket, _name: str, value: int) -> None:
    made.mss_limit = value
    if made.queue is not None:
        made.queue.mss_limit = value
    world.set_options(made, maxseg_bytes=value)


EFFECTS: Final[dict[str, Callable[[ScriptWorld, Socket, str, int], None]]] = {
    "TCP_NODELAY": _flag,
    "TCP_CORK": _flag,
    "SO_RCVBUF": _buffer,
    "SO_SNDBUF": _buffer,
    "SO_RCVBUFFORCE": _buffer,
    "SO_SNDBUFFORCE": _buffer,
    "SO_KEEPALIVE": _keepalive,
    "TCP_KEEPIDLE": _keepalive,
    "TCP_KEEPINTVL": _keepalive,
    "TCP_KEEPCNT": _keepalive,
    "TCP_KEEPINIT": _keepalive_of_opening,
    "TCP_QUICKACK": _quick_ack,
    "TCP_USER_TIMEOUT": _user_timeout,
    "TCP_LINGER2": _linger2,
    "TCP_SYNCNT": _syn_count,
    "TCP_MAXSEG": _maximum_segment,
    "TCP_DEFER_ACCEPT": _defer_accept,
    "TCP_NOTSENT_LOWAT": _notsent_lowat,
    "IP_MTU_DISCOVER": _path_mtu_discovery,
    "IPV6_MTU_DISCOVER": _path_mtu_discovery,
    "IP_TOS": _traffic_class,
    "IPV6_TCLASS": _traffic_class,
    "IP_TTL": _hop_limit,
    "IPV6_UNICAST_HOPS": _hop_limit,
}


def setsockopt(world: ScriptWorld, call: Call) -> CallResult:
    """setsockopt(2). Raises: Unsupported."""
    made, name = _option(world, call)
    value = call.arguments[3]
    if name == "SO_LINGER":
        made.linger_s = _linger_s(world, value)
        return OK
    if name == "TCP_CONGESTION":
        world.change(made, congestion=congestion_name(world.reader.text(_first(value)) or ""))
        return OK
    if name == "TCP_FASTOPEN":
        made.early_max = world.reader.number(_first(value))
        if made.queue is not None:
            made.queue.early_max = made.early_max
        return OK
    if name == "TCP_FASTOPEN_KEY":
        return _fast_open_key(world, made, call)
    if name == "TCP_FASTOPEN_CONNECT" and not world.host.fast_opens.is_client:
        return failed("EOPNOTSUPP")
    if name not in REMEMBERED:
        raise Unsupported(f"option {name}")
    number = world.reader.number(_first(value))
    made.options[name] = number
    if name in EFFECTS:
        try:
            EFFECTS[name](world, made, name, number)
        except ValueError:
            return failed("EINVAL")
    return OK


def _fast_open_key(world: ScriptWorld, made: Socket, call: Call) -> CallResult:
    """tcp(7): a key, or one and the one before it."""
    text, length = world.reader.text(call.arguments[3]) or "", world.reader.number(call.arguments[4])
    if length not in FAST_OPEN_KEYS_BYTES:
        return failed("EINVAL")
    made.fast_open_key = text.encode()
    if made.queue is not None:
        made.queue.fast_open_key = made.fast_open_key
    return OK


def _option(world: ScriptWorld, call: Call) -> tuple[Socket, str]:
    made = world.socket(world.reader.number(call.arguments[0]))
    name = world.reader.word(call.arguments[2])
    if not name:
        raise Unsupported("option without a name")
    return made, name


def _first(expression: Expression) -> Expression:
    """What stands in [ ]."""
    if isinstance(expression, Array):
        return expression.items[0] if expression.items else Whatever()
    return expression


def _linger_s(world: ScriptWorld, expression: Expression) -> int | None:
    """{onoff=1, linger=5}."""
    value = _first(expression)
    if not isinstance(value, Braces):
        raise Mismatch("expected {onoff=1, linger=0}")
    names = ("onoff", "l_onoff"), ("linger", "l_linger")
    on, seconds = (next((f for n in pair if (f := value.field(n)) is not None), Whatever()) for pair in names)
    return world.reader.number(seconds, 0) if world.reader.number(on, 0) else None


def getsockopt(world: ScriptWorld, call: Call) -> CallResult:
    """getsockopt(2). Raises: Unsupported, Mismatch."""
    made, name = _option(world, call)
    value = call.arguments[3]
    if name == "SO_ERROR":
        return _check_error(world, made, _first(value))
    if name == "TCP_CONGESTION":
        expected = world.reader.text(_first(value))
        got = made.congestion
        if expected is not None and congestion_name(expected) != got:
            raise Mismatch(f"TCP_CONGESTION: expected {expected}, got {got}")
        return OK
    if name == "TCP_INFO":
        return _check_info(world, made, _first(value))
    if name == "IP_MTU":
        return _check_mtu(world, made, _first(value))
    got_number = _value(made, name, _keepalive_times(world))
    space_bytes = made.parameters.deviations.receive_space_bytes
    if name == "SO_RCVBUF" and space_bytes:
        got_number = _receive_space(made, space_bytes)
    if got_number is None:
        return failed("EOPNOTSUPP")
    expected_number = world.reader.number(_first(value), got_number)
    if expected_number != got_number:
        raise Mismatch(f"{name}: expected {expected_number}, got {got_number}")
    return OK


def _check_error(world: ScriptWorld, made: Socket, expected: Expression) -> CallResult:
    got = made.take_error()
    name = world.reader.word(expected)
    if isinstance(expected, Whatever):
        return OK
    number = getattr(errno, got) if got else 0
    wanted = getattr(errno, name, None) if name else world.reader.number(expected)
    if wanted != number:
        raise Mismatch(f"SO_ERROR: expected {name or wanted}, got {got or 0}")
    return OK


BSD_INFO_NAMES: Final = {"tcpi_snd_cwnd": "snd_cwnd_bytes", "tcpi_snd_ssthresh": "snd_ssthresh_bytes"}
"""What BSD counts in octets."""


def _check_info(world: ScriptWorld, made: Socket, expected: Expression) -> CallResult:
    """{tcpi_state=..., tcpi_rto=...}. Raises: Mismatch, Unsupported."""
    found = info(world, made)
    names = BSD_INFO_NAMES if world.settings.profile.counts_cwnd_in_octets else {}
    for item in world.reader.items(expected):
        if isinstance(item, Whatever):
            continue
        if not isinstance(item, Named):
            raise Mismatch("expected {tcpi_state=..., ...}")
        got = found.get(names.get(item.name, item.name))
        if not isinstance(got, int):
            raise Unsupported(f"tcp_info {item.name}")
        wanted = world.reader.number(item.value, got)
        if wanted != got:
            raise Mismatch(f"{item.name}: expected {wanted}, got {got}")
    return OK


def _check_mtu(world: ScriptWorld, made: Socket, expected: Expression) -> CallResult:
    """ip(7): "the current known path MTU of the current socket"."""
    if made.tcb is None:
        return failed("ENOTCONN")
    got = made.tcb.agreed.smss + header_bytes(made.tcb.agreed) if made.tcb.path else world.settings.mtu
    wanted = world.reader.number(expected, got)
    if wanted != got:
        raise Mismatch(f"IP_MTU: expected {wanted}, got {got}")
    return OK


def _receive_space(made: Socket, space: int) -> int:
    """SO_RCVBUF where it is not doubled but rounded up to whole segments."""
    space = made.options.get("SO_RCVBUF", space)
    tcb = made.tcb
    if tcb is None or tcb.state < (State.ESTABLISHED if tcb.agreed.passive else State.SYN_RECEIVED):
        return space
    return -(-space // tcb.agreed.smss) * tcb.agreed.smss


def _value(made: Socket, name: str, times: dict[str, int]) -> int | None:
    tcb = made.tcb
    if name == "TCP_MAXSEG":
        return made.mss_limit or (tcb.agreed.smss if tcb is not None else 536)
    if name == "SO_ACCEPTCONN":
        return int(made.queue is not None)
    if name in ("SO_RCVBUF", "SO_SNDBUF") and name in made.options:
        return 2 * made.options[name]
    if name not in REMEMBERED:
        raise Unsupported(f"option {name}")
    if name == "TCP_QUICKACK" and made.endpoint is not None:
        return int(not made.endpoint.habit.is_conversation)
    return made.options.get(name, {**DEFAULTS, **times}.get(name, 0))


def info(world: ScriptWorld, made: Socket) -> dict[str, int | str]:
    """The fields of TCP_INFO, for assertions."""
    return tcpinfo.fields(made, world.host.now_us)
