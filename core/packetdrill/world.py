"""The world of a script: the host, its sockets by file descriptor, and which flow packets belong to.

Owns the rule by which a packet without ports finds its flow: that of the socket under test, the one made or
reached last.

Source: the tool's published semantics.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.packetdrill.endpoint import Endpoint, Ports
from gossamer.core.packetdrill.epoll import Epoll
from gossamer.core.packetdrill.errors import Mismatch
from gossamer.core.packetdrill.fastopen import DEFINITIONS, FastOpenCookies
from gossamer.core.packetdrill.host import ScriptHost
from gossamer.core.packetdrill.mapping import Mapping
from gossamer.core.packetdrill.send_memory import SendMemory
from gossamer.core.packetdrill.settings import Settings
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.values import Reader
from gossamer.core.records import fields, replace
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.events import Abort, Send, SetOptions
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import SHARED_NAMES, SocketOptions

REMOTE_PORT_FIRST = 49_153
CORK_US = 200 * MILLISECOND_US
"""How long TCP_CORK holds an incomplete segment back (tcp(7))."""
START_US = 1_000_000_000
"""Where virtual time begins: late enough that a time in the past is not negative."""


class CallResult(msgspec.Struct, frozen=True, gc=False):
    """What a call returned."""

    value: int
    errno: str = ""


OK = CallResult(0)


def failed(errno: str) -> CallResult:
    """-1 and why."""
    return CallResult(-1, errno)


class BlockedCall(msgspec.Struct, frozen=True, gc=False):
    """A call that waits: `attempt` is made again whenever something has happened, until it gives a result."""

    attempt: Callable[[], CallResult | None]
    deadline_us: int = NEVER_US


class ScriptFlow:
    """A flow of the script: its ports, and its numbers."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.mapping = Mapping()


class ScriptWorld:
    """All that calls and packets act upon."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.settings.definitions = {**DEFINITIONS, **settings.definitions}
        cookie = bytes.fromhex(self.settings.definitions["TFO_COOKIE"])
        cookies = FastOpenCookies(settings.fast_open, cookie, settings.profile.drops_fast_open)
        self.host = ScriptHost(settings.profile, START_US, cookies)
        self.host.mss = settings.mss
        self.host.path_mtu = settings.path_mtu
        self.host.is_ipv6 = settings.is_ipv6
        self.reader = Reader(settings.definitions)
        self.sockets: dict[int, Socket] = {}
        self.epolls: dict[int, Epoll] = {}
        self.flows: dict[Ports, ScriptFlow] = {}
        self.under_test: Socket | None = None
        self.flow: ScriptFlow | None = None
        """That of the socket under test, once it has one."""
        self._metrics_flushes = settings.metrics_flushes
        self._remote_ports = iter(range(REMOTE_PORT_FIRST, 1 << 16))
        self._local_ports = iter(range(settings.profile.ephemeral_port, 1 << 16))

    def made_socket(self, parameters: TcpParameters, is_ipv6: bool) -> Socket:
        """A socket with the habits of the profile."""
        made = Socket(parameters, is_ipv6)
        made.reset_after_fin_is_pipe = self.settings.profile.reset_after_fin_is_pipe
        if self.settings.send_memory_bytes is not None:
            made.memory = SendMemory(*self.settings.send_memory_bytes)
        return made

    def socket(self, fd: int) -> Socket:
        """The socket of a file descriptor. Raises: Mismatch."""
        found = self.sockets.get(fd)
        if found is None:
            raise Mismatch(f"fd {fd}: expected a socket of the script, got none")
        return found

    def local_port(self) -> int:
        """A local port for an active open."""
        return next(self._local_ports)

    def test(self, socket: Socket) -> None:
        """Packets from now on are about that socket."""
        self.under_test, self.flow = socket, None

    def flow_of(self, ports: Ports) -> ScriptFlow:
        """The flow of these ports."""
        if ports not in self.flows:
            self.flows[ports] = ScriptFlow(ports)
        return self.flows[ports]

    def inbound_flow(self, ports: Ports | None) -> ScriptFlow:
        """The flow of a packet to inject; `ports` are its source and destination, when given."""
        if ports is not None:
            return self.flow_of((ports[1], ports[0]))
        if self.flow is None:
            local = (
                self.under_test.port if self.under_test and self.under_test.port else self.settings.bind_port
            )
            self.flow = self.flow_of((local, next(self._remote_ports)))
        return self.flow

    def outbound_flow(self, ports: Ports | None) -> ScriptFlow:
        """The flow of an expected packet. Raises: Mismatch."""
        if ports is not None:
            return self.flow_of(ports)
        if self.flow is None:
            raise Mismatch("expected a packet, got no socket that could send one")
        return self.flow

    def socket_for_code(self) -> Socket | None:
        """The socket whose tcp_info assertions look at: that of the flow under test."""
        if self.flow is not None:
            endpoint = self.host.endpoints.get(self.flow.ports)
            for made in self.sockets.values():
                if made.endpoint is endpoint and endpoint is not None:
                    return made
        return self.under_test

    def state_names(self) -> list[str]:
        """The states of all sockets and connections, half-open ones and those that users have closed too."""
        names = [made.state_name for made in self.sockets.values()]
        held = {id(made.endpoint) for made in self.sockets.values()}
        others = [each for each in self.host.endpoints.values() if id(each) not in held]
        return names + [each.state_name for each in others if each.connection is not None]

    def drop_all_in(self, state_name: str) -> None:
        """End all connections in a state: those of TIME-WAIT in silence, others as ABORT does."""
        for endpoint in self.host.endpoints.values():
            if endpoint.state_name != state_name:
                continue
            if endpoint.tcb is None:
                endpoint.connection = None
            else:
                self.host.step(endpoint, Abort(self.host.now_us))

    def settings_changed(self, before: TcpParameters) -> None:
        """A command has set something in the middle of a script: for all sockets that have no connection."""
        settings = self.settings
        if settings.metrics_flushes != self._metrics_flushes:
            self._metrics_flushes = settings.metrics_flushes
            self.host.fast_opens.forget()
            self.host.path_mtu = 0
        self.host.mss, self.host.fast_opens.mode = settings.mss, settings.fast_open
        self.host.fast_opens.key = settings.fast_open_key
        self.host.path_mtu = settings.path_mtu or self.host.path_mtu
        changed = {
            field.name: getattr(settings.parameters, field.name)
            for field in fields(TcpParameters)
            if getattr(settings.parameters, field.name) != getattr(before, field.name)
        }
        for made in self.sockets.values():
            if changed and made.endpoint is None:
                self.change(made, **changed)

    def note_icmp(self, endpoint: Endpoint, errno: str) -> None:
        """An ICMP error of that name came for an endpoint."""
        for made in self.sockets.values():
            if made.endpoint is endpoint and endpoint.failure is not None:
                made.icmp_error = errno

    def change(self, made: Socket, **changes: Any) -> None:
        """Set parameters: of a socket, of those that it will accept, of its connection when there is one.
        Raises: ValueError."""
        made.parameters = replace(made.parameters, **changes)
        if made.queue is not None:
            made.queue.parameters = made.parameters
        endpoint, tcb = made.endpoint, made.tcb
        if endpoint is None or tcb is None:
            return
        if "nodelay" in changes:
            endpoint.nagles = not changes["nodelay"] and self.settings.profile.has_minshall
        own = {name: value for name, value in changes.items() if name not in SHARED_NAMES}
        if own:
            parameters = replace(tcb.agreed.parameters, **own)
            agreed = replace(tcb.agreed, parameters=parameters)
            endpoint.connection = replace(tcb, agreed=agreed)
        self.set_options(made, **{name: changes[name] for name in changes if name in SHARED_NAMES})

    def set_options(self, made: Socket, **options: Any) -> None:
        """Set options of a connection. Raises: ValueError."""
        if options and made.endpoint is not None:
            self.host.step(made.endpoint, SetOptions(SocketOptions(**options), self.host.now_us))

    # SEND, and what is held back from it.

    def put(self, made: Socket, count: int, more: bool, *, ends_record: bool = False) -> int:
        """Give octets to SEND; how many found room. With MSG_MORE or TCP_CORK only whole segments go."""
        taken = 0
        while taken < count:
            part = count - taken
            if made.memory is not None:
                part = min(part, made.send_room_bytes())
            went = self._put(made, part, more, ends_record and part == count - taken) if part else 0
            taken += went
            if not part or went < part or made.tcb is None:
                break
        if taken < count:
            made.lacks_room = True
        made.completions.put_bytes += taken
        return taken

    def _put(self, made: Socket, count: int, more: bool, ends_record: bool) -> int:
        endpoint, tcb = made.endpoint, made.tcb
        assert endpoint is not None
        assert tcb is not None
        total = made.held_bytes + count
        holds = (more or bool(made.options.get("TCP_CORK"))) and not ends_record
        sending = total - total % tcb.agreed.smss if holds else total
        if not sending:
            self._hold(made, total)
            return count
        self.host.step(endpoint, Send(bytes(sending), self.host.now_us, ends_record=ends_record))
        taken = sending if endpoint.taken_bytes is None else endpoint.taken_bytes
        if taken < sending:
            made.held_bytes = 0
            return max(count - (sending - taken), 0)
        self._hold(made, total - sending)
        return count

    def _hold(self, made: Socket, count: int) -> None:
        made.held_bytes = count
        tcb = made.tcb
        hold_us = CORK_US if made.options.get("TCP_CORK") or tcb is None else tcb.round_trip.rto_us
        made.held_until_us = self.host.now_us + hold_us if count else NEVER_US

    def release(self, endpoint: Endpoint, acked: bool) -> None:
        """A segment came: what MSG_MORE held back follows an ACK of new data (TCP_CORK holds on)."""
        for made in self.sockets.values():
            if acked and made.lacks_room and made.memory is not None and made.endpoint is endpoint:
                self._grow(made)
            if acked and made.held_bytes and made.endpoint is endpoint and not made.options.get("TCP_CORK"):
                self.uncork(made)

    def _grow(self, made: Socket) -> None:
        if made.memory is not None and made.tcb is not None:
            made.memory.grow(made.tcb)

    def uncork(self, made: Socket) -> None:
        """Send what was held back."""
        held, made.held_bytes = made.held_bytes, 0
        made.held_until_us = NEVER_US
        if held and made.tcb is not None and made.endpoint is not None:
            self.host.step(made.endpoint, Send(bytes(held), self.host.now_us))

    def cork_deadline_us(self) -> int:
        """When something was held back for too long."""
        return min((made.held_until_us for made in self.sockets.values()), default=NEVER_US)

    def expire_corks(self) -> None:
        """Send what was held back for too long."""
        for made in self.sockets.values():
            if made.held_until_us <= self.host.now_us:
                self.uncork(made)
