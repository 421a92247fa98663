"""BBR's round trips."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import rounds

from .paths import BDP, DELIVERED, KNOWN, SMSS, acked, on


def test_round__ends_with_an_ack_of_what_was_sent_after_it_began() -> None:
    within = rounds.counted(KNOWN, on(KNOWN), acked())
    assert (within.rounds.count, within.rounds.is_start) == (9, False)
    after = rounds.counted(KNOWN, on(KNOWN), acked(starts_round=True))
    assert (after.rounds.count, after.rounds.is_start) == (10, True)
    assert after.rounds.ends_at_bytes == DELIVERED + 2 * SMSS
    assert after.probe.rounds_since_up == KNOWN.probe.rounds_since_up + 1
    silent = replace(acked(starts_round=True), rate=None)
    assert not rounds.counted(KNOWN, on(KNOWN), silent).rounds.is_start


def test_cwnd__used_up__is_known_for_this_round_and_the_next() -> None:
    memory = rounds.counted(KNOWN, on(KNOWN, BDP + 2 * SMSS), acked())
    assert rounds.is_cwnd_limited(memory)
    for expected in (True, False):
        memory = rounds.counted(
            memory,
            on(memory),
            acked(starts_round=True, delivered_total=memory.rounds.ends_at_bytes + 2 * SMSS),
        )
        assert rounds.is_cwnd_limited(memory) is expected


def test_begun__the_round_ends_when_what_is_sent_from_now_on_is_acknowledged() -> None:
    memory = rounds.counted(KNOWN, on(KNOWN), acked())
    assert rounds.begun(memory).rounds.ends_at_bytes == DELIVERED + 2 * SMSS
