"""The send window: which segment says what it is, and that nothing leaves beyond it."""

from gossamer.core.clock import SECOND_US
from gossamer.core.seq import MASK, Seq
from gossamer.core.sim import states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.sim.states import from_peer, segments_in
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Event, SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import ACK, SYN

SCALE = states.PEER_OPTIONS.window_scale


def test_ack_of_new_data__in_a_segment_sent_again__its_window_holds() -> None:
    """RFC 9293 3.10.7.4 keeps old segments from changing the window; one that acknowledges more than any
    before it is no old one, whatever its sequence number."""
    tcb, _ = states.send(states.established(), bytes(10_000))
    ahead = from_peer(tcb, payload=bytes(100), seq=500, ack=-10_000, window=50_000 >> SCALE)
    tcb = states.after_segment(tcb, ahead)
    assert tcb.snd_wnd == 50_000
    again = from_peer(tcb, payload=bytes(100), ack=-5_000, window=40_000 >> SCALE)
    tcb = states.after_segment(tcb, again)
    assert tcb.snd_wnd == 40_000


def test_ack_of_nothing_new__in_a_segment_that_was_held_up__changes_no_window() -> None:
    tcb, _ = states.send(states.established(), bytes(10_000))
    tcb = states.after_segment(tcb, from_peer(tcb, payload=bytes(100), seq=500, window=50_000 >> SCALE))
    tcb = states.after_segment(tcb, from_peer(tcb, payload=bytes(100), window=40_000 >> SCALE))
    assert tcb.snd_wnd == 50_000


class Edges:
    """An observer: what each end sends beyond all that it has heard of its peer's window."""

    def __init__(self) -> None:
        self.sent_total = 0
        self.beyond: list[tuple[int, int]] = []
        self._edges: dict[Seq, int] = {}

    def __call__(self, before: object, event: Event, _after: object, actions: Actions) -> None:
        if not isinstance(before, Tcb):
            return
        iss = before.agreed.iss
        if isinstance(event, SegmentArrives) and event.segment.flags & (ACK | SYN) == ACK:
            window = event.segment.window << before.agreed.snd_wind_shift
            edge = (event.segment.ack + window - iss) & MASK
            self._edges[iss] = max(self._edges.get(iss, 0), edge)
        for segment in segments_in(actions):
            end = (segment.seq + len(segment.payload) - iss) & MASK
            # One octet at the edge is a probe of a closed window.
            if len(segment.payload) > 1 and iss in self._edges:
                self.sent_total += 1
                if end > self._edges[iss]:
                    self.beyond.append((end, self._edges[iss]))


BAD = Faults(loss=0.02, duplicate=0.01, reorder=0.05, delay_us=5_000, jitter_us=3_000)


def test_bulk_both_ways_on_a_bad_link__nothing_leaves_beyond_the_window() -> None:
    user = User(sends=bytes(400_000), reads_every_us=15_000, read_bytes=20_000)
    parameters = TcpParameters(receive_buffer_bytes=65_536)
    for seed in range(12):
        edges = Edges()
        ends = (EndSetting(user, parameters, iss=Seq(iss), faults=BAD) for iss in (1_000, 900_000))
        pair = Pair(*ends, seed, edges)
        pair.run(pair.now_us + 3 * SECOND_US)
        assert edges.sent_total > 300
        assert not edges.beyond, seed
