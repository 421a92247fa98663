"""Super-segments: cut into pieces, what leaves and what becomes of the connection are the same as without."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US
from gossamer.core.records import replace
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.sim import states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults, Line
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.sim.states import NOW_US, segments_in
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Event, Send, Timeout
from gossamer.core.tcp.output import output
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery.ranges import total_bytes
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX, cut
from gossamer.core.wire.segment import PSH, Segment

OCTETS = bytes(range(256)) * 1_000


def with_bound(connection: Any, octets: int) -> Any:
    """The connection with another `super_segment_bytes`."""
    if not isinstance(connection, Tcb):
        return connection
    agreed = connection.agreed
    parameters = replace(agreed.parameters, super_segment_bytes=octets)
    return replace(connection, agreed=replace(agreed, parameters=parameters))


def all_cut(actions: Actions) -> Actions:
    """The actions with every super-segment cut."""
    return tuple(
        piece for action in actions for piece in (cut(action) if isinstance(action, Segment) else (action,))
    )


class Comparison:
    """An observer that takes every step of an end a second time, with super-segments of at most `bound`."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.seen: Counter[str] = Counter()

    def __call__(self, before: Any, event: Event, after: Any, actions: Actions) -> None:
        if not isinstance(before, Tcb):
            return
        again, together = step(with_bound(before, self.bound), event)
        assert all_cut(together) == actions
        assert with_bound(again, 0) == after
        for segment in segments_in(together):
            assert not segment.cut_bytes or segment.cut_bytes < len(segment.payload) <= self.bound
            self.seen["super" if segment.cut_bytes else "single"] += 1


FAULTS = {
    "perfect": Faults(),
    "lossy": Faults(loss=0.03, duplicate=0.02, reorder=0.05, jitter_us=2_000),
    "far": Faults(delay_us=40_000, loss=0.002),
}
USERS = {
    "bulk": User(sends=OCTETS),
    "odd writes": User(sends=OCTETS, write_bytes=7_001, closes=False),
    "slow reader": User(sends=OCTETS, reads_every_us=30_000, read_bytes=9_000),
}
PARAMETERS = {
    "default": TcpParameters(),
    "tight": TcpParameters(receive_buffer_bytes=9_000, send_buffer_bytes=20_000, nodelay=False),
    "paced": TcpParameters(pacing="on", congestion="bbr"),
    "probing": TcpParameters(mtu_probing="on", congestion="newreno"),
    "plain": TcpParameters(timestamps=False, sack=False, window_scaling=False),
}


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS.keys())
@pytest.mark.parametrize("user", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_whole_transfers__every_step__is_the_same_when_cut(
    faults: Faults, user: User, parameters: TcpParameters
) -> None:
    comparison = Comparison(SUPER_SEGMENT_BYTES_MAX)
    client = EndSetting(user, parameters, iss=Seq(MASK - 9_000), faults=faults)
    pair = Pair(client, EndSetting(user, parameters, faults=faults), 11, comparison)
    pair.run(pair.now_us + 2 * SECOND_US)
    assert comparison.seen["super"] > 10, comparison.seen


def test_marking_wire__the_owed_cwr__is_in_the_first_piece() -> None:
    comparison = Comparison(SUPER_SEGMENT_BYTES_MAX)
    parameters = TcpParameters(ecn="on")
    line = Line(20_000_000, 60_000, (), 9_000)
    ends = (EndSetting(USERS["bulk"], parameters, line=line) for _ in range(2))
    pair = Pair(*ends, 11, comparison)
    pair.run(pair.now_us + 2 * SECOND_US)
    assert comparison.seen["super"] > 10, comparison.seen


@given(
    size=st.integers(1, 200_000),
    smss=st.sampled_from((536, 1_000, 1_448, 9_000)),
    bound=st.integers(0, SUPER_SEGMENT_BYTES_MAX),
    window=st.integers(1, 200_000),
    cwnd=st.integers(1_000, 200_000),
    nodelay=st.booleans(),
    rate=st.sampled_from((0, 0, 200_000, 50_000_000)),
)
def test_any_send__any_bound_and_window__is_the_same_when_cut(
    size: int, smss: int, bound: int, window: int, cwnd: int, nodelay: bool, rate: int
) -> None:
    tcb = states.established(TcpParameters(nodelay=nodelay))
    tcb = replace(
        tcb,
        agreed=replace(tcb.agreed, smss=smss),
        snd_wnd=window,
        max_snd_wnd=window,
        congestion=replace(tcb.congestion, cwnd=cwnd, pacing_rate=rate),
    )
    event = Send(OCTETS[:size], NOW_US)
    after, actions = step(tcb, event)
    Comparison(bound)(tcb, event, after, actions)


def test_bulk__as_much_as_a_packet_can_say__leaves_as_one() -> None:
    tcb = states.established(TcpParameters(super_segment_bytes=SUPER_SEGMENT_BYTES_MAX))
    tcb = replace(tcb, snd_wnd=1 << 20, congestion=replace(tcb.congestion, cwnd=1 << 20))
    smss = tcb.agreed.smss
    _, segments = states.send(tcb, OCTETS[:100_000])
    full = SUPER_SEGMENT_BYTES_MAX // smss * smss
    assert [len(each.payload) for each in segments] == [full, 100_000 - full]
    assert [each.cut_bytes for each in segments] == [smss, smss]
    assert [each.flags & PSH for each in segments] == [0, PSH]


def in_recovery(lost: tuple[tuple[int, int], ...], closing: bool = False) -> Tcb:
    """A connection that has sent ten segments of 1,000 octets, and a FIN if it is `closing`, of which these
    stretches are lost. They count from SND.UNA."""
    tcb = states.established(TcpParameters(super_segment_bytes=SUPER_SEGMENT_BYTES_MAX))
    tcb = replace(
        tcb,
        agreed=replace(tcb.agreed, smss=1_000),
        snd_wnd=1 << 20,
        congestion=replace(tcb.congestion, cwnd=1 << 20),
    )
    tcb, _ = step(tcb, Send(OCTETS[:10_000], NOW_US, closing))
    stretches = tuple((seq_add(tcb.snd_una, left), seq_add(tcb.snd_una, right)) for left, right in lost)
    recovery = Recovery(Phase.LOSS, tcb.snd_nxt, lost=stretches, lost_bytes=total_bytes(stretches))
    return replace(tcb, recovery=recovery)


@pytest.mark.parametrize(
    ("lost", "closing", "again"),
    [
        (((0, 500),), False, [(0, 500, 0)]),
        (((0, 4_000),), False, [(0, 4_000, 1_000)]),
        (((0, 2_500), (3_000, 5_000)), False, [(0, 2_500, 1_000), (3_000, 2_000, 1_000)]),
        (((8_000, 10_001),), True, [(8_000, 2_000, 1_000), (10_000, 0, 0)]),
        (((7_500, 10_001),), True, [(7_500, 2_500, 1_000)]),
    ],
    ids=["less than one", "all in a row", "with a hole", "FIN without text alone", "FIN with text"],
)
def test_retransmissions__that_follow_one_another__leave_as_one(
    lost: tuple[tuple[int, int], ...], closing: bool, again: list[tuple[int, int, int]]
) -> None:
    tcb = in_recovery(lost, closing)
    _, actions = output(tcb, NOW_US)
    segments = segments_in(actions)
    assert [((s.seq - tcb.snd_una) & MASK, len(s.payload), s.cut_bytes) for s in segments] == again
    _, single = output(with_bound(tcb, 0), NOW_US)
    assert all_cut(actions) == single


def test_retransmission_after_a_timeout__stays_single() -> None:
    tcb = states.established(TcpParameters(super_segment_bytes=SUPER_SEGMENT_BYTES_MAX))
    tcb, (sent,) = states.send(tcb, OCTETS[:10_000])
    assert sent.cut_bytes == tcb.agreed.smss
    again: list[Segment] = []
    for _ in range(3):
        tcb, segments = states.stepped(tcb, Timeout(tcb.rtx_at_us))
        again += segments
    assert again
    assert all(not each.cut_bytes and len(each.payload) <= tcb.agreed.smss for each in again)
