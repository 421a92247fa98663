"""Header prediction against the eight checks: the same state and actions, wherever it has an answer."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US
from gossamer.core.records import replace
from gossamer.core.seq import MASK, Seq
from gossamer.core.sim import states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults, Line
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp import send_limits
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.buffer import appended
from gossamer.core.tcp.events import Close, SegmentArrives, Send
from gossamer.core.tcp.output import output
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.prediction import predicted
from gossamer.core.tcp.segment_arrives import arrives
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, CE, CWR, ECE, ECT_0, FIN, NOT_ECT, PSH, Segment

OCTETS = bytes(range(256)) * 256

FAULTS = {
    "perfect": Faults(),
    "lossy": Faults(loss=0.03, duplicate=0.02, reorder=0.05, jitter_us=2_000),
    "near": Faults(delay_us=100),
}

USERS = {
    "bulk": User(sends=OCTETS, closes=False),
    "small writes": User(sends=OCTETS[:6_000], write_bytes=100, closes=False),
    "slow reader": User(sends=OCTETS, reads_every_us=30_000, read_bytes=9_000, closes=False),
    "closing": User(sends=OCTETS * 2),
}

PARAMETERS = {
    "default": TcpParameters(),
    "tight": TcpParameters(receive_buffer_bytes=4_000, send_buffer_bytes=9_000, nodelay=False),
    "ecn": TcpParameters(ecn="on"),
    "plain": TcpParameters(timestamps=False, sack=False, window_scaling=False),
}


def sent_by_the_general_path(tcb: Tcb, event: Send) -> tuple[Tcb, Actions]:
    """SEND without its short cut: into the buffer, then `output`."""
    buffered = appended(tcb.snd_buf, event.data)
    size = tcb.snd_buf_bytes + len(event.data)
    tcb, sent = output(replace(tcb, snd_buf=buffered, snd_buf_bytes=size), event.now_us)
    return send_limits.asked(tcb, event.now_us, is_whole=True), sent


NOT_COMPUTED = {"congestion", "round_trip", "rtt_at_us"}
"""What core.tcp.prediction.closing leaves as it is, since nothing more is sent that would need it."""


def assert_same(short: tuple[Any, Actions], general: tuple[Any, Actions]) -> None:
    """Equal, or an error that names the fields that are not."""
    assert type(short[0]) is type(general[0])
    left_out = NOT_COMPUTED if getattr(general[0], "state", None) is State.FIN_WAIT_2 else ()
    fields = [
        (name, getattr(short[0], name), getattr(general[0], name))
        for name in short[0].__struct_fields__
        if name not in left_out and getattr(short[0], name) != getattr(general[0], name)
    ]
    assert not fields
    assert short[1] == general[1]


class Comparison:
    """An observer that computes every step of a synchronized connection both ways."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, before: Any, event: Any, after: Any, actions: Any) -> None:
        if not isinstance(before, Tcb) or before.state is State.SYN_SENT:
            return
        if isinstance(event, SegmentArrives):
            self.compare_arrival(before, event)
        elif isinstance(event, Send) and len(event.data) + before.snd_buf_bytes <= (
            before.agreed.parameters.send_buffer_bytes
        ):
            self.seen["send"] += 1
            assert_same((after, actions), sent_by_the_general_path(before, event))

    def compare_arrival(self, before: Tcb, event: SegmentArrives) -> None:
        outcome = predicted(before, event)
        self.seen["predicted" if outcome is not None else "not predicted"] += 1
        if outcome is not None:
            assert_same(outcome, arrives(before, event))


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS.keys())
@pytest.mark.parametrize("user", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_whole_transfers__every_predicted_segment__equals_the_eight_checks(
    faults: Faults, user: User, parameters: TcpParameters
) -> None:
    comparison = Comparison()
    client = EndSetting(user, parameters, iss=Seq(MASK - 9_000), faults=faults)
    pair = Pair(client, EndSetting(user, parameters, faults=faults), 11, comparison)
    pair.run(pair.now_us + 3 * SECOND_US)
    assert comparison.seen["send"] > 0
    assert comparison.seen["predicted"] + comparison.seen["not predicted"] > 0
    if parameters.timestamps and not faults.loss:
        assert comparison.seen["predicted"] > 10, comparison.seen


def test_marking_wire__every_predicted_segment__equals_the_eight_checks() -> None:
    comparison = Comparison()
    ends = (
        EndSetting(user, PARAMETERS["ecn"], iss=Seq(MASK - 9_000), line=Line(20_000_000, 60_000, (), 9_000))
        for user in (USERS["bulk"], USERS["small writes"])
    )
    pair = Pair(*ends, 11, comparison)
    pair.run(pair.now_us + 3 * SECOND_US)
    assert comparison.seen["predicted"] > 10, comparison.seen
    assert comparison.seen["not predicted"] > 10, comparison.seen


class Collected(list[Tcb]):
    """An observer that keeps the synchronized connections it sees."""

    def __call__(self, before: Any, _event: Any, _after: Any, _actions: Any) -> None:
        if isinstance(before, Tcb) and before.state is not State.SYN_SENT:
            self.append(before)


def reachable() -> list[Tcb]:
    """Connections as they are met in the middle of runs."""
    met = Collected()
    for number, (faults, user) in enumerate((f, u) for f in FAULTS.values() for u in USERS.values()):
        parameters = PARAMETERS["ecn" if number % 2 else "default"]
        ends = (EndSetting(user, parameters, faults=faults) for _ in range(2))
        pair = Pair(*ends, number, met)
        pair.run(pair.now_us + 400_000)
    return met[::7]


REACHABLE = reachable()

NEAR = st.sampled_from((-3000, -1460, -1, 0, 0, 0, 0, 1, 1448, 1460, 2920, 70_000))


@st.composite
def segments_near(draw: st.DrawFn, tcb: Tcb) -> Segment:
    """A segment around the edges of a connection."""
    payload = draw(st.sampled_from((b"", b"", b"x", b"y" * 1448, b"z" * 5000)))
    sack = ()
    if draw(st.booleans()):
        left = (tcb.snd_una + draw(st.integers(0, 3000))) & MASK
        sack = ((left, (left + draw(st.integers(0, 3000))) & MASK),)
    return Segment(
        seq=(tcb.rcv_nxt + draw(NEAR)) & MASK,
        ack=(draw(st.sampled_from((tcb.snd_una, tcb.snd_nxt))) + draw(NEAR)) & MASK,
        flags=draw(st.sampled_from((ACK, ACK, ACK | PSH, ACK | ECE, ACK | CWR, *range(64)))),
        window=draw(st.sampled_from((0, 1, 100, 4_000, 65_535))),
        ts_val=draw(st.sampled_from((-1, 0, tcb.ts_recent, (tcb.ts_recent + 5) & MASK))),
        ts_ecr=draw(st.sampled_from((0, 1, (1_100 + tcb.agreed.ts_offset) & MASK))),
        payload=payload,
        sack=sack,
        ecn=draw(st.sampled_from((NOT_ECT, ECT_0, CE))),
        urgent=draw(st.sampled_from((0, 0, 3, 4_000))),
    )


@given(data=st.data())
def test_any_segment_at_a_reachable_connection__predicted__equals_the_eight_checks(
    data: st.DataObject,
) -> None:
    tcb = data.draw(st.sampled_from(REACHABLE))
    now_us = max(tcb.rcv_at_us, tcb.snd_at_us) + data.draw(st.sampled_from((0, 900, 50_000, 10**9)))
    for _ in range(4):
        segment = data.draw(segments_near(tcb))
        event = SegmentArrives(segment, now_us, data.draw(st.sampled_from((0, 10, 65_536))))
        outcome = predicted(tcb, event)
        general, actions = arrives(tcb, event)
        if outcome is not None:
            assert_same(outcome, (general, actions))
        if not isinstance(general, Tcb):
            return
        tcb = general


def variants() -> list[Tcb]:
    """A connection in each synchronized state, idle and with octets under way, half-closed and closed."""
    made = [states.IN_STATE[state](TcpParameters()) for state in State if state is not State.SYN_SENT]
    made.append(states.crossed())
    made.append(
        states.after_segment(states.after(states.syn_sent(), Send(b"early", NOW_US)), states.peer_syn())
    )
    for sent in (1, 5_000, 40_000):
        tcb = states.after(states.established(), Send(b"o" * sent, NOW_US))
        made += [tcb, states.after(tcb, Close(NOW_US)), states.after(tcb, Close(NOW_US, receives=True))]
    full = states.after_segment(states.established(), states.from_peer(states.established(), window=25))
    full = states.after(full, Send(b"f" * 100, NOW_US))
    made.append(states.after(full, Close(NOW_US, receives=True)))
    made.append(
        states.after_segment(states.established(), states.from_peer(states.established(), ACK, b"unread"))
    )
    return made


@pytest.mark.parametrize("tcb", variants(), ids=lambda tcb: f"{tcb.state.name.lower()}-{tcb.snd_buf_bytes}")
def test_each_state__segments_around_its_edges__predicted_equals_the_eight_checks(tcb: Tcb) -> None:
    flags = (ACK, ACK | PSH, ACK | FIN, ACK | FIN | PSH)
    unsent = -((tcb.snd_nxt - tcb.snd_una) & MASK)
    for flag, payload, ack, window, ts in product(
        flags, (b"", b"text"), (0, -1, unsent, unsent + 1), (0, 16_384), (0, 9)
    ):
        segment = states.from_peer(tcb, flag, payload, ack=ack, window=window, ts=ts)
        for receive_bytes in (0, 2, 100):
            event = SegmentArrives(segment, NOW_US + 20_000, receive_bytes)
            outcome = predicted(tcb, event)
            if outcome is not None:
                assert_same(outcome, arrives(tcb, event))
