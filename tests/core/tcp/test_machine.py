"""One end against anything: a state machine of segments, calls, timers and errors in any order, the oracle
after each step."""

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gossamer.core.clock import NEVER_US
from gossamer.core.records import replace
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.sim import oracle, states
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.actions import Accepted, Deliver, Failed, Remains, Signal
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import (
    Abort,
    Close,
    Event,
    IcmpError,
    Receive,
    Report,
    SegmentArrives,
    Send,
    SetOptions,
    Timeout,
)
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment

NEAR = st.sampled_from((0, 0, 0, 0, 1, -1, 2, 88, 536, 1_448, -1_448, 5_000, 19_999, 20_000, 1 << 31))
FLAGS = st.sampled_from((ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | PSH | FIN, SYN, SYN | ACK, RST, 0, 0x3F))
SIZES = st.sampled_from((0, 0, 1, 100, 1_448, 9_000))
WAITS_US = st.sampled_from((0, 0, 1_000, 50_000, 1_000_000, 100_000_000))
WINDOWS = st.sampled_from((0, 1, 100, 16_384, 65_535))

PARAMETERS = st.builds(
    TcpParameters,
    receive_buffer_bytes=st.sampled_from((1, 500, 20_000)),
    send_buffer_bytes=st.sampled_from((1, 500, 20_000)),
    nodelay=st.booleans(),
    timestamps=st.booleans(),
    sack=st.booleans(),
    window_scaling=st.booleans(),
    retries=st.sampled_from((1, 15)),
    keepalive_idle_us=st.sampled_from((10_000_000, NEVER_US)),
    user_timeout_us=st.sampled_from((NEVER_US, NEVER_US, 30_000_000)),
    user_timeout_option=st.booleans(),
    ecn=st.sampled_from(("off", "passive", "on")),
    congestion=st.sampled_from(("newreno", "cubic", "bbr")),
    pacing=st.sampled_from(("auto", "on", "off")),
    mtu_probing=st.sampled_from(("off", "blackhole", "on")),
    rack=st.booleans(),
    restart_after_idle=st.booleans(),
    dscp=st.sampled_from((0, 10)),
)

OPTIONS = st.sampled_from(
    (
        SocketOptions(nodelay=True),
        SocketOptions(nodelay=False),
        SocketOptions(quickack=True),
        SocketOptions(keepalive_idle_us=5_000_000),
        SocketOptions(keepalive_idle_us=NEVER_US),
        SocketOptions(user_timeout_us=20_000_000),
        SocketOptions(maxseg_bytes=88),
        SocketOptions(congestion="bbr"),
        SocketOptions(congestion="newreno"),
        SocketOptions(dscp=46),
    )
)


HAVE_SENT_FIN = (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK)


class OneEnd(RuleBasedStateMachine):
    """A connection, from any state on, until it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: Tcb | TimeWait | None = None
        self.now_us = NOW_US
        self.has_ended = False
        self.fin_seq: int | None = None

    @initialize(state=st.sampled_from(State), parameters=PARAMETERS, crossed=st.booleans())
    def begin(self, state: State, parameters: TcpParameters, crossed: bool) -> None:
        is_crossed = crossed and state is State.SYN_RECEIVED
        self.connection = states.crossed(parameters) if is_crossed else states.IN_STATE[state](parameters)
        self.now_us = NOW_US
        self.has_ended = False
        self.fin_seq = seq_add(self.connection.snd_nxt, -1) if state in HAVE_SENT_FIN else None

    @rule(state=st.sampled_from(State), parameters=PARAMETERS, crossed=st.booleans())
    @precondition(lambda self: self.connection is None)
    def begin_again(self, state: State, parameters: TcpParameters, crossed: bool) -> None:
        self.begin(state, parameters, crossed)

    def stepped(self, event: Event) -> tuple[Any, ...]:
        before = self.connection
        assert before is not None
        after, actions = step(before, event)
        assert step(decode(encode(before)), event) == (after, actions), "not a function of the encoded state"
        oracle.check(before, event, after, actions)
        self.connection = after
        self.account(before, event, after, actions)
        return actions

    def account(self, before: Any, event: Event, after: Any, actions: tuple[Any, ...]) -> None:
        """What is reported to the user is possible."""
        for action in actions:
            if isinstance(action, Deliver | Remains):
                assert not self.has_ended, "octets behind the end of the stream"
            elif isinstance(action, Failed) and not isinstance(event, Send):
                assert after is None
            elif action is Signal.END_OF_STREAM:
                self.has_ended = True
        answers = [action for action in actions if isinstance(action, Segment)]
        resets = [answer for answer in answers if answer.flags & RST]
        for answer in answers:
            if answer.flags & FIN:
                fin_seq = seq_add(Seq(answer.seq), len(answer.payload))
                assert self.fin_seq in (None, fin_seq), "two FINs"
                self.fin_seq = fin_seq
        is_rst = isinstance(event, SegmentArrives) and event.segment.flags & RST
        assert not (is_rst and resets), "a RST was answered with a RST"
        if isinstance(before, TimeWait):
            assert isinstance(after, TimeWait)
            assert len(answers) <= 1

    @rule(
        flags=st.one_of(FLAGS, st.integers(0, 255)),
        size=SIZES,
        seq=NEAR,
        ack=NEAR,
        from_una=st.booleans(),
        window=WINDOWS,
        ts=st.sampled_from((0, 0, 1, -1, 1 << 31)),
        wait_us=WAITS_US,
        receives=st.sampled_from((0, 0, 10, 65_536)),
        sack=st.lists(st.tuples(NEAR, NEAR), max_size=3),
        urgent=st.sampled_from((0, 0, 1, 65_535)),
        ecn=st.integers(0, 3),
    )
    @precondition(lambda self: self.connection is not None)
    def segment(
        self,
        flags: int,
        size: int,
        seq: int,
        ack: int,
        from_una: bool,
        window: int,
        ts: int,
        wait_us: int,
        receives: int,
        sack: list[tuple[int, int]],
        urgent: int,
        ecn: int,
    ) -> None:
        connection = self.connection
        assert connection is not None
        self.now_us += wait_us
        made = states.from_peer(connection, flags, b"x" * size, seq=seq, ack=ack, window=window, ts=ts)
        made = replace(made, urgent=urgent, ecn=ecn)
        if from_una and isinstance(connection, Tcb):
            made = replace(made, ack=seq_add(connection.snd_una, ack))
            edges = tuple(
                (seq_add(connection.snd_una, left), seq_add(connection.snd_una, left + length & MASK))
                for left, length in sack
            )
            made = replace(made, sack=edges)
        self.stepped(SegmentArrives(made, self.now_us, receives))

    @rule(
        flags=st.sampled_from((ACK, ACK | PSH, ACK | FIN)),
        size=SIZES,
        ack=st.sampled_from((0, 0, 0, -1, -88, -1_448)),
        wait_us=WAITS_US,
        receives=st.sampled_from((0, 65_536)),
    )
    @precondition(lambda self: self.connection is not None)
    def peer(self, flags: int, size: int, ack: int, wait_us: int, receives: int) -> None:
        """What an honest peer could say: in order, and an ACK of something that was sent."""
        assert self.connection is not None
        self.now_us += wait_us
        made = states.from_peer(self.connection, flags, b"x" * size, ack=ack)
        self.stepped(SegmentArrives(made, self.now_us, receives))

    @rule(size=st.sampled_from((0, 1, 100, 1_448, 30_000)), is_last=st.booleans())
    @precondition(lambda self: isinstance(self.connection, Tcb))
    def send(self, size: int, is_last: bool) -> None:
        for action in self.stepped(Send(b"s" * size, self.now_us, is_last)):
            if isinstance(action, Accepted):
                assert 0 <= action.count <= size

    @rule(bytes_max=st.sampled_from((1, 100, 65_536)))
    @precondition(lambda self: isinstance(self.connection, Tcb))
    def receive(self, bytes_max: int) -> None:
        actions = self.stepped(Receive(bytes_max, self.now_us))
        assert sum(len(a.data) for a in actions if isinstance(a, Deliver)) <= bytes_max

    @rule(receives=st.booleans())
    @precondition(lambda self: isinstance(self.connection, Tcb))
    def close(self, receives: bool) -> None:
        self.stepped(Close(self.now_us, receives))

    @rule(options=OPTIONS)
    @precondition(lambda self: self.connection is not None)
    def set_options(self, options: SocketOptions) -> None:
        self.stepped(SetOptions(options, self.now_us))

    @rule(
        offset=st.sampled_from((0, 0, 1, 88, 1_448, 5_000, -1)),
        report=st.sampled_from(Report),
        mtu=st.sampled_from((0, 68, 576, 1_280, 1_499, 65_535)),
    )
    @precondition(lambda self: isinstance(self.connection, Tcb))
    def icmp(self, offset: int, report: Report, mtu: int) -> None:
        assert isinstance(self.connection, Tcb)
        self.stepped(IcmpError(seq_add(self.connection.snd_una, offset), report, self.now_us, mtu=mtu))

    @rule()
    @precondition(lambda self: isinstance(self.connection, Tcb))
    def abort(self) -> None:
        self.stepped(Abort(self.now_us))
        assert self.connection is None

    @rule()
    @precondition(lambda self: isinstance(self.connection, Tcb) and deadline_us(self.connection) < NEVER_US)
    def timer(self) -> None:
        assert isinstance(self.connection, Tcb)
        self.now_us = max(self.now_us, deadline_us(self.connection))
        self.stepped(Timeout(self.now_us))
        if isinstance(self.connection, Tcb):
            assert deadline_us(self.connection) > self.now_us, "a timer that fires for ever"


EXAMPLES = int(os.environ.get("GOSSAMER_MACHINE_EXAMPLES", "100"))
"""Runs of the machine; `make fuzz` makes more."""

OneEnd.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestOneEnd = OneEnd.TestCase
