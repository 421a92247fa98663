"""The host under test: connections and listeners over the pure TCP, in virtual time, and what they emit.

Owns the doer's part of a connection (what a step asks for is kept, not performed on a network) and the demux
by ports. It knows nothing of scripts, file descriptors or errno.

Source: RFC 9293 3.10; the accept queue is that of listen(2).
"""

from collections import Counter

from gossamer.core.clock import NEVER_US
from gossamer.core.packetdrill.endpoint import Emission, Endpoint, Ports, Queue
from gossamer.core.packetdrill.fastopen import FastOpenCookies
from gossamer.core.packetdrill.habits import AckHabit
from gossamer.core.packetdrill.profiles import Profile
from gossamer.core.records import replace
from gossamer.core.seq import Seq, seq_add, seq_le, seq_max
from gossamer.core.tcp import listen, time_wait
from gossamer.core.tcp.actions import (
    Accepted,
    Action,
    Actions,
    Deliver,
    Dropped,
    Failed,
    Granted,
    PathLearned,
    Remains,
    Signal,
)
from gossamer.core.tcp.buffer import octets_at
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Event, Opening, PathKnown, SegmentArrives, Timeout
from gossamer.core.tcp.fast_open import room_bytes
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Listener, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, SYN, Segment

ISS = 0xFFFFE000
"""The first initial sequence number: eight kilobytes before the wrap, so that a script crosses it."""
ISS_STEP = 0x01234567
TS_OFFSET = 0xFFFFFF00
"""Our timestamps wrap a quarter of a second after the start."""
REUSE_STEP_BYTES = 1 << 16


class ScriptHost:
    """All endpoints. `now_us` moves only by `run_until`."""

    def __init__(self, profile: Profile, now_us: int, fast_opens: FastOpenCookies) -> None:
        self.fast_opens = fast_opens
        self.now_us = now_us
        self.mss = 1460
        self.is_ipv6 = False
        self.endpoints: dict[Ports, Endpoint] = {}
        self.queues: dict[int, Queue] = {}
        self.steps_total = 0
        self.drops: Counter[SegmentDrop] = Counter()
        self._profile = profile
        self._iss = Seq(ISS)
        self.path_mtu = 0
        """What a router said of the way to the peer; there is only one."""

    # Opening.

    def connect(
        self,
        ports: Ports,
        parameters: TcpParameters,
        mss_limit: int,
        data: bytes | None = None,
        queues: bool = False,
        takes_over: bool = False,
    ) -> Endpoint:
        """Active open, which may take the flow over from TIME-WAIT; with `data` by Fast Open: as much of it
        as the SYN takes, or with `queues` all of it, where there is no cookie too."""
        known = self.endpoints.get(ports)
        before = known.connection if known is not None and isinstance(known.connection, TimeWait) else None
        endpoint = self._made(ports, None)
        opening = self._opening(before, mss_limit)
        if before is not None and takes_over and self._profile.echoes_in_syn:
            opening = replace(opening, ts_recent=before.ts_recent)
        if data is not None:
            opening = self.fast_opens.with_cookie(opening)
        room = len(data or b"") if queues else room_bytes(opening.peer_mss, opening.mss)
        carries = bool(opening.cookie) or opening.is_bare
        given = data[:room] if data and (carries or queues) else b""
        connection, actions = open_active(parameters, opening, given)
        self._became(endpoint, connection, actions)
        endpoint.nagles = self._profile.has_minshall and endpoint.has_nagle
        return endpoint

    def listen(self, port: int, parameters: TcpParameters, backlog: int) -> Queue:
        """Passive open."""
        return self.queues.setdefault(port, Queue(port, parameters, backlog))

    def _made(self, ports: Ports, queue: Queue | None) -> Endpoint:
        endpoint = Endpoint(ports, AckHabit(self._profile.quick_acks, self._profile.acks_every_second), queue)
        if ports in self.endpoints:
            endpoint.sent = self.endpoints[ports].sent
        self.endpoints[ports] = endpoint
        return endpoint

    def _opening(self, before: TimeWait | None, mss_limit: int) -> Opening:
        iss = self._iss
        self._iss = seq_add(iss, ISS_STEP)
        if before is not None and seq_le(iss, before.snd_nxt):
            # RFC 9293 3.6.1: beyond what the previous incarnation used.
            iss = seq_add(before.snd_nxt, REUSE_STEP_BYTES)
        mss = min(self.mss, mss_limit) if mss_limit else self.mss
        return Opening(self.now_us, iss, TS_OFFSET, mss, self.is_ipv6)

    # What the peer does.

    def arrives(self, ports: Ports, segment: Segment) -> Endpoint:
        """A segment from the peer; the endpoint that answers, if anything does."""
        endpoint = self.endpoints.get(ports)
        connection = endpoint.connection if endpoint is not None else None
        if isinstance(connection, TimeWait) and time_wait.can_reopen(connection, segment):
            return self._stray(ports, segment, endpoint, connection)
        if endpoint is None or connection is None:
            return self._stray(ports, segment, endpoint, None)
        self.step(endpoint, SegmentArrives(segment, self.now_us))
        tcb = endpoint.tcb
        if endpoint.habit.received(segment, self.now_us) and tcb is not None and tcb.ack_at_us < NEVER_US:
            endpoint.connection = replace(tcb, ack_at_us=self.now_us)
        return endpoint

    def _stray(
        self, ports: Ports, segment: Segment, endpoint: Endpoint | None, before: TimeWait | None
    ) -> Endpoint:
        """For a listener, or for nobody."""
        queue = self.queues.get(ports[0])
        if queue is None:
            endpoint = endpoint or self._made(ports, None)
            reply = reset_reply(segment)
            if reply is not None:
                endpoint.sent.append(Emission(self.now_us, reply))
            return endpoint
        if segment.flags & (SYN | ACK) == SYN and self._is_full(queue):
            return endpoint or self._made(ports, None)
        listener = Listener(queue.parameters)
        opening = self._opening(before, queue.mss_limit)
        opening = self.fast_opens.judged(segment, opening, self._places(queue), queue.fast_open_key)
        connection, actions = listen.segment_arrives(listener, segment, opening)
        if connection is None or endpoint is None or endpoint.connection is not None:
            endpoint = self._made(ports, queue)
        endpoint.queue = queue
        if connection is not None and opening.takes_text:
            endpoint.had_syn_data = bool(segment.payload)
        elif connection is not None:
            queue.half_open.append(endpoint)
        self._became(endpoint, connection, actions)
        return endpoint

    def _places(self, queue: Queue) -> int | None:
        if queue.early_max is None:
            return None
        early = sum(each.queue is queue and each.is_early for each in self.endpoints.values())
        return queue.early_max - early

    def _is_full(self, queue: Queue) -> bool:
        return len(queue.ready) >= queue.backlog + self._profile.accept_queue_extra

    # Steps.

    def step(self, endpoint: Endpoint, event: Event) -> None:
        """One step of a connection that there is."""
        before = endpoint.connection
        if before is None or (isinstance(before, TimeWait) and not isinstance(event, SegmentArrives)):
            return
        self.steps_total += 1
        if endpoint.nagles and isinstance(before, Tcb):
            before = self._nagled(endpoint, before, event)
        connection, actions = step(before, event)
        if connection is None and isinstance(before, Tcb):
            endpoint.failed_in = before.state
            if self._profile.keeps_text_at_reset and not before.receive_closed:
                endpoint.remains += octets_at(before.rcv_buf, before.rcv_buf_offset, 0, before.rcv_buf_bytes)
        self._became(endpoint, connection, actions)

    def _nagled(self, endpoint: Endpoint, tcb: Tcb, event: Event) -> Tcb:
        """The connection with Nagle on or off, as Minshall would have it: a small segment waits for a small
        one, not for full-sized ones."""
        una = tcb.snd_una
        if isinstance(event, SegmentArrives) and seq_le(Seq(event.segment.ack), tcb.snd_nxt):
            una = seq_max(una, Seq(event.segment.ack))
        is_free = endpoint.small_end is None or seq_le(endpoint.small_end, una)
        if tcb.agreed.parameters.nodelay is is_free:
            return tcb
        parameters = replace(tcb.agreed.parameters, nodelay=is_free)
        return replace(tcb, agreed=replace(tcb.agreed, parameters=parameters))

    def _became(self, endpoint: Endpoint, connection: Tcb | TimeWait | None, actions: Actions) -> None:
        endpoint.connection = connection
        endpoint.taken_bytes = None
        if not isinstance(connection, Tcb):
            endpoint.has_ended = True
        for action in actions:
            self._perform(endpoint, action)

    def _perform(self, endpoint: Endpoint, action: Action) -> None:
        if isinstance(action, Segment):
            endpoint.sent.append(Emission(self.now_us, action))
            endpoint.habit.sent(action, self.now_us)
            self._note_small(endpoint, action)
        elif isinstance(action, Deliver):
            endpoint.delivered += action.data
        elif isinstance(action, Remains):
            endpoint.remains += action.data
        elif isinstance(action, Accepted):
            endpoint.taken_bytes = action.count
        elif isinstance(action, PathLearned):
            self.path_mtu = action.mtu
        elif isinstance(action, Failed):
            endpoint.failure = action.failure
        elif isinstance(action, Granted):
            self.fast_opens.granted(action)
        elif isinstance(action, Dropped):
            self.drops[action.reason] += 1
        elif isinstance(action, Signal):
            self._signalled(endpoint, action)

    def _note_small(self, endpoint: Endpoint, segment: Segment) -> None:
        """Where new text ends that did not fill its segment; what a SYN carried is none when it goes
        again."""
        tcb, length = endpoint.tcb, len(segment.payload)
        if tcb is None or not length:
            return
        end = seq_add(Seq(segment.seq), length + bool(segment.flags & SYN))
        is_new = endpoint.text_end is None or not seq_le(end, endpoint.text_end)
        if is_new and length < tcb.agreed.smss and not segment.flags & SYN:
            endpoint.small_end = end
        if is_new:
            endpoint.text_end = end

    def _signalled(self, endpoint: Endpoint, action: Signal) -> None:
        if action is Signal.ESTABLISHED:
            self._established(endpoint)
        elif action is Signal.OPENED_EARLY and endpoint.queue is not None:
            endpoint.queue.ready.append(endpoint)
        elif action is Signal.END_OF_STREAM:
            endpoint.has_ended = True
        elif action is Signal.RETRANSMITTED:
            endpoint.retransmitted_total += 1
        elif action is Signal.HALF_OPEN_GONE and endpoint.queue and endpoint in endpoint.queue.half_open:
            endpoint.queue.half_open.remove(endpoint)

    def _established(self, endpoint: Endpoint) -> None:
        endpoint.is_established = True
        if endpoint.has_writer:
            endpoint.habit.answered(self.now_us)
        endpoint.nagles = endpoint.nagles or (self._profile.has_minshall and endpoint.has_nagle)
        tcb = endpoint.tcb
        if tcb is not None and not tcb.agreed.passive:
            endpoint.had_syn_data = 0 < tcb.agreed.syn_text_bytes == tcb.agreed.syn_taken_bytes
        if self.path_mtu:
            self.step(endpoint, PathKnown(self.path_mtu, self.now_us))
        queue = endpoint.queue
        if queue is not None and endpoint in queue.half_open:
            queue.half_open.remove(endpoint)
            queue.ready.append(endpoint)

    # Time.

    def deadline_us(self) -> int:
        """When the next timer of any endpoint fires."""
        return min(map(_deadline_us, self.endpoints.values()), default=NEVER_US)

    def expire(self) -> None:
        """Fire the timers that are due now."""
        for endpoint in tuple(self.endpoints.values()):
            connection = endpoint.connection
            if isinstance(connection, TimeWait):
                if connection.expires_at_us <= self.now_us:
                    endpoint.connection = None
            elif connection is not None and deadline_us(connection) <= self.now_us:
                self.step(endpoint, Timeout(self.now_us))


def _deadline_us(endpoint: Endpoint) -> int:
    connection = endpoint.connection
    if connection is None:
        return NEVER_US
    return connection.expires_at_us if isinstance(connection, TimeWait) else deadline_us(connection)
