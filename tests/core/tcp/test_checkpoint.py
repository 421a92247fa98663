"""A connection goes on from a checkpoint of it, whichever step its process was killed at."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.records import fields, replace
from gossamer.core.seq import MASK, seq_add
from gossamer.core.sim import oracle, states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.tcp.checkpoint import (
    can_be_written,
    end,
    numbers,
    reach,
    read,
    restored,
    standing_in,
    unsettled,
)
from gossamer.core.tcp.checkpoint_stem import is_stem_of, stem_octets
from gossamer.core.tcp.codec import UndecodableConnection
from gossamer.core.tcp.events import SegmentArrives, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, Segment

OCTETS = bytes(range(256)) * 60
BAD = Faults(loss=0.04, duplicate=0.03, reorder=0.1, jitter_us=5_000)
EVERY = 7


class Crashes:
    """A stepper that has one step in so many begin with what is left of a process that was killed: the latest
    checkpoint, or the oldest that is still true."""

    def __init__(self, first: int, *, is_stale: bool) -> None:
        self.crashed_total = 0
        self._left = first
        self._is_stale = is_stale
        self._kept: dict[bool, tuple[Tcb, tuple[bytes, bytes, bytes]]] = {}

    def __call__(self, before: Any, event: Any) -> Any:
        if isinstance(before, Tcb) and can_be_written(before):
            self._left -= 1
            before = self._seen(before, event.now_us)
        after, actions = step(before, event)
        oracle.check(before, event, after, actions)
        return after, actions

    def _seen(self, tcb: Tcb, now_us: int) -> Tcb:
        side = tcb.agreed.passive
        kept = self._kept.get(side)
        if kept is None or not self._is_stale or not is_true(kept[0], tcb):
            kept = self._kept[side] = tcb, written(tcb)
        if self._left:
            return tcb
        self._left = EVERY
        self.crashed_total += 1
        del self._kept[side]
        return restored(read(*kept[1])[0], now_us)


def written(tcb: Tcb) -> tuple[bytes, bytes, bytes]:
    octets = unsettled(tcb)
    assert octets is not None
    return numbers(tcb, 7, 9), stem_octets(tcb), octets


def is_true(kept: Tcb, tcb: Tcb) -> bool:
    """Whether a checkpoint accounts for all that has happened since."""
    return (
        is_stem_of(kept, tcb)
        and kept.state is tcb.state
        and kept.rcv_nxt == tcb.rcv_nxt
        and end(kept) == end(tcb)
        and (tcb.snd_nxt - kept.snd_una) & MASK <= (reach(kept) - kept.snd_una) & MASK
    )


@pytest.mark.parametrize("is_stale", [False, True], ids=["latest", "oldest that is true"])
@pytest.mark.parametrize("options", [True, False], ids=["all options", "no options"])
def test_killed_at_every_step_of_a_run__every_octet_arrives_in_its_place(
    options: bool, is_stale: bool
) -> None:
    parameters = TcpParameters(sack=options, timestamps=options, window_scaling=options)
    crashed_total = 0
    for first in range(1, EVERY + 1):
        crashes = Crashes(first, is_stale=is_stale)
        here = EndSetting(User(OCTETS, write_bytes=4_000), parameters, faults=BAD)
        there = EndSetting(User(OCTETS[:9_000], write_bytes=700), parameters, faults=BAD)
        pair = Pair(here, there, first, stepper=crashes)
        pair.run()
        assert pair.server is not None
        assert (bytes(pair.client.received), bytes(pair.server.received)) == (OCTETS[:9_000], OCTETS)
        crashed_total += crashes.crashed_total
    assert crashed_total > 60


@pytest.mark.parametrize("state", [s for s in states.IN_STATE if s > 1], ids=lambda state: state.name.lower())
def test_each_state__its_checkpoint_has_all_that_matters(state: Any) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    copy, until_us = read(*written(tcb))
    assert (until_us, standing_in(written(tcb)[0])) == (7, 9)
    for name in ("state", "agreed", "rcv_nxt", "snd_una", "snd_nxt", "snd_wnd", "rcv_wnd", "ts_recent"):
        assert getattr(copy, name) == getattr(tcb, name), name
    assert end(copy) == end(tcb)
    oracle_checked = restored(copy, 10_000_000)
    assert (reach(tcb), end(tcb)) == (reach(oracle_checked), end(oracle_checked))


def test_ack_beyond_snd_nxt__is_evidence_up_to_its_reach_and_an_attack_beyond() -> None:
    tcb = states.established(TcpParameters(timestamps=False))
    kept = with_unsent(tcb, bytes(3_000))
    begun = restored(kept, 10_000_000)
    assert begun.snd_nxt == seq_add(kept.snd_una, 3_000)
    for acked, is_taken in ((1_700, True), (3_000, True), (3_001, False)):
        segment = Segment(kept.rcv_nxt, seq_add(kept.snd_una, acked), ACK, 0xFFFF)
        after, _ = step(begun, SegmentArrives(segment, 10_000_001, 0))
        assert isinstance(after, Tcb)
        assert (after.snd_una != kept.snd_una) is is_taken


def test_closed_window__no_more_is_taken_for_sent_than_it_took() -> None:
    kept = with_unsent(states.established(TcpParameters()), bytes(3_000), snd_wnd=1_000)
    assert reach(kept) == seq_add(kept.snd_una, 1_000)


def test_restored__what_may_be_lost_goes_again_at_once() -> None:
    kept = with_unsent(states.established(TcpParameters()), b"answer")
    after, actions = step(restored(kept, 10_000_000), Timeout(10_000_000))
    assert isinstance(after, Tcb)
    sent = [action.payload for action in actions if isinstance(action, Segment)]
    assert sent == [b"answer"]


def with_unsent(tcb: Tcb, octets: bytes, **changes: Any) -> Tcb:
    """The same with octets that its user has handed over and that have not left."""
    return replace(tcb, snd_buf=(octets,), snd_buf_bytes=len(octets), **changes)


@pytest.mark.parametrize("cut", ["numbers", "stem", "octets"])
def test_what_is_no_checkpoint__says_so(cut: str) -> None:
    tcb = replace(states.established(), rcv_buf=(b"asked",), rcv_buf_bytes=5)
    note, stem, octets = written(tcb)
    with pytest.raises(UndecodableConnection):
        read(
            note[:-1] if cut == "numbers" else note,
            stem[:-4] if cut == "stem" else stem,
            octets[:-4] if cut == "octets" else octets,
        )


IN_NUMBERS = {
    *("rcv_buf_bytes", "rcv_nxt", "snd_una", "snd_nxt", "ts_recent", "last_ack_sent", "snd_wnd", "rcv_wnd"),
    *("state", "receive_closed"),
}
COMPARED = {"agreed", "ecn", "path", "user_timeout", "rcv_up"}
"""Of the stem: written again when one of them is another."""
IN_OCTETS = {"snd_buf", "snd_buf_bytes", "snd_buf_offset", "rcv_buf", "rcv_buf_offset"}
MADE_ANEW = {
    *("snd_wl1", "max_snd_wnd", "rcv_at_us", "snd_at_us", "rtt_at_us", "rtx_at_us", "ack_at_us", "busy_us"),
    *("congestion", "recovery", "reassembly", "rtt_seq", "transmissions", "rack", "undo", "delivery"),
    *("pace_at_us", "slow_at_us", "backoff", "soft_error", "send_limits", "record_ends"),
}
"""From what is there, or learned again."""
FORGOTTEN = {
    "round_trip",
    "challenge_at_us",
    "retransmits_total",
    "rcv_text_at_us",
    "fast_open",
}
"""As in a new connection: what is measured again, times that are looked at when they have come, counts."""


def test_every_field__is_written_or_done_without_on_purpose() -> None:
    """A field that is new must be thought of."""
    known = [*IN_NUMBERS, *COMPARED, *IN_OCTETS, *MADE_ANEW, *FORGOTTEN]
    assert sorted(known) == sorted(field.name for field in fields(Tcb))


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_2], ids=lambda state: state.name.lower())
def test_restored__its_peer_says_nothing_any_more__is_looked_at_all_the_same(state: State) -> None:
    """The stem may be of a state before, whose timer is not this one's."""
    parameters = TcpParameters(keepalive_idle_us=7_000_000, fin_wait_2_us=3_000_000)
    tcb = replace(states.IN_STATE[state](parameters), receive_closed=True, slow_at_us=NEVER_US)
    begun = restored(read(*written(tcb))[0], 10_000_000)
    assert begun.slow_at_us == (13_000_000 if state is State.FIN_WAIT_2 else 17_000_000)
