"""Sockets: what a file descriptor of the script stands for, over the endpoints of the host.

Owns errno: how the end of a connection shows to its user, once each. It knows no call by name.

Source: POSIX, socket(7), tcp(7).
"""

from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.packetdrill.completions import Completions
from gossamer.core.packetdrill.endpoint import Endpoint, Queue
from gossamer.core.packetdrill.script import Expression
from gossamer.core.packetdrill.send_memory import SendMemory
from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.fast_open import is_early
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.send_space import unsent_bytes
from gossamer.core.tcp.tcb import State, Tcb

ERRORS: Final = {
    Failure.RESET: "ECONNRESET",
    Failure.REFUSED: "ECONNREFUSED",
    Failure.TIMED_OUT: "ETIMEDOUT",
    Failure.UNREACHABLE: "EHOSTUNREACH",
    Failure.NETWORK_UNREACHABLE: "ENETUNREACH",
    Failure.PROTOCOL_REFUSED: "ENOPROTOOPT",
    Failure.BAD_HEADER: "EPROTO",
    Failure.ABORTED: "ECONNABORTED",
    Failure.CLOSING: "EPIPE",
}
SENDING: Final = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})

POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP = 1, 4, 8, 0x10, 0x2000
READABLE, WRITABLE = POLLIN | 0x40, POLLOUT | 0x100


class Socket:
    """A TCP socket."""

    def __init__(self, parameters: TcpParameters, is_ipv6: bool) -> None:
        self.parameters = parameters
        self.is_ipv6 = is_ipv6
        self.is_blocking = True
        self.port = 0
        self.queue: Queue | None = None
        self.endpoint: Endpoint | None = None
        self.is_read_shut = False
        self.is_write_shut = False
        self.linger_s: int | None = None
        """SO_LINGER when it is on."""
        self.options: dict[str, int] = {}
        """Options that were set and that a getsockopt shall give back."""
        self.keepalive: dict[str, int] = {}
        """Times of keepalive, in effect while SO_KEEPALIVE is on."""
        self.is_error_reported = False
        self.is_connect_reported = False
        self.completions = Completions()
        self.held_bytes = 0
        """Octets that MSG_MORE or TCP_CORK hold back."""
        self.held_until_us = NEVER_US
        self.early_max: int | None = None
        """TCP_FASTOPEN."""
        self.memory: SendMemory | None = None
        """How its send buffer is counted, where not in octets."""
        self.lacks_room = False
        """Whether somebody was told that there is no room for a write, and nobody that there is again."""
        self.fast_open_key: bytes | None = None
        """TCP_FASTOPEN_KEY."""
        self.deferred_to: Expression | None = None
        """Where TCP_FASTOPEN_CONNECT will connect to, with the first data."""
        self.mss_limit = 0
        """TCP_MAXSEG, 0: none."""
        self.reset_after_fin_is_pipe = True
        """By the profile."""
        self.icmp_error = ""
        """What an ICMP error made of the failure of this connection."""

    @property
    def tcb(self) -> Tcb | None:
        """The connection, while it lives."""
        return self.endpoint.tcb if self.endpoint is not None else None

    @property
    def state_name(self) -> str:
        """The state as RFC 9293 names it."""
        if self.queue is not None:
            return "LISTEN"
        return "CLOSED" if self.endpoint is None else self.endpoint.state_name

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake of an active open is under way."""
        tcb = self.tcb
        return tcb is not None and tcb.state in (State.SYN_SENT, State.SYN_RECEIVED) and not is_early(tcb)

    @property
    def error(self) -> str:
        """The pending error, "" when there is none."""
        endpoint = self.endpoint
        if endpoint is None or endpoint.failure is None or self.is_error_reported:
            return ""
        is_after_fin = endpoint.failure is Failure.RESET and endpoint.failed_in is State.CLOSE_WAIT
        if is_after_fin and self.reset_after_fin_is_pipe:
            return "EPIPE"
        return self.icmp_error or ERRORS[endpoint.failure]

    def take_error(self) -> str:
        """The pending error, which is then none any more."""
        error = self.error
        self.is_error_reported = self.is_error_reported or bool(error)
        return error

    @property
    def congestion(self) -> str:
        """The congestion control in use."""
        return (self.tcb.agreed.parameters if self.tcb is not None else self.parameters).congestion

    def send_room_bytes(self) -> int:
        """What a SEND would take at once."""
        tcb = self.tcb
        if tcb is not None and self.memory is not None:
            unsent = unsent_bytes(tcb)
            is_low = unsent < tcb.agreed.parameters.notsent_lowat_bytes
            return self.memory.room_bytes(tcb, unsent) if is_low else 0
        return 0 if tcb is None else tcb.agreed.parameters.send_buffer_bytes - tcb.snd_buf_bytes

    def has_room(self, tcb: Tcb) -> bool:
        """Whether a writer who waits is let on."""
        if 2 * unsent_bytes(tcb) >= tcb.agreed.parameters.notsent_lowat_bytes:
            return False
        if self.memory is not None:
            return self.memory.is_roomy(tcb)
        return self.send_room_bytes() * 3 >= tcb.agreed.parameters.send_buffer_bytes

    def unsent_bytes(self) -> int:
        """Octets that were never sent."""
        return 0 if self.tcb is None else unsent_bytes(self.tcb)

    def settle(self) -> Completions:
        """What of MSG_ZEROCOPY is complete by now: all of it once the connection is gone."""
        tcb = self.tcb
        self.completions.settle(0 if tcb is None else tcb.snd_buf_bytes + self.held_bytes)
        return self.completions

    def events(self) -> int:
        """What poll(2) would say of it."""
        if self.queue is not None:
            return READABLE if self.queue.ready else 0
        endpoint = self.endpoint
        if endpoint is None:
            # A connect that waits for data to go with the SYN (TCP_FASTOPEN_CONNECT) has succeeded.
            return WRITABLE if self.deferred_to is not None else WRITABLE | POLLHUP
        found = POLLERR if self.error or self.settle().are_waiting else 0
        tcb = self.tcb
        if tcb is None:
            return found | READABLE | WRITABLE | POLLHUP | POLLRDHUP
        if self.is_connecting:
            return found
        has_ended = endpoint.has_ended or tcb.state in (State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING)
        if endpoint.readable_bytes or has_ended or self.is_read_shut:
            found |= READABLE
        if has_ended or self.is_read_shut:
            found |= POLLRDHUP
        if self.is_write_shut or self.has_room(tcb):
            found |= WRITABLE
        return found | (POLLHUP if has_ended and self.is_write_shut else 0)
