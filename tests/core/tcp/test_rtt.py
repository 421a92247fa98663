"""What an ACK shows of the round trip, and what it does not."""

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timestamps import ts_value

SMSS = states.established().agreed.smss
PLAIN = TcpParameters(tail_loss_probe=False)


def timed_out(count: int) -> tuple[Tcb, int, int]:
    """Two segments sent, and the first sent again `count` times; with the times of both."""
    tcb = states.established(PLAIN)
    measured = replace(tcb.round_trip, srtt_us=20_000, rttvar_us=5_000, min_us=20_000)
    tcb = replace(tcb, round_trip=measured)
    tcb, _ = send(tcb, bytes(2 * SMSS))
    now_us = NOW_US
    for _ in range(count):
        now_us = tcb.rtx_at_us
        after, _ = step(tcb, Timeout(now_us))
        assert isinstance(after, Tcb)
        tcb = after
    return tcb, NOW_US, now_us


def echo(tcb: Tcb, sent_at_us: int) -> int:
    return ts_value(tcb.agreed.ts_offset, sent_at_us)


def test_timeout__ack_was_lost__stale_echo_is_no_round_trip() -> None:
    """The peer had both; what was sent again is a duplicate, which it reports; its echo is the old one."""
    tcb, first_us, again_us = timed_out(3)
    before = tcb.round_trip
    una, nxt = tcb.snd_una, tcb.snd_nxt
    ack = replace(from_peer(tcb), ts_ecr=echo(tcb, first_us), sack=((una, (una + SMSS) % 2**32),))
    tcb, _ = segment_arrives(tcb, ack, again_us + 20_000)
    assert tcb.snd_una == nxt
    assert tcb.round_trip == before


def test_timeout__answer_to_the_retransmission__is_a_round_trip() -> None:
    tcb, _, again_us = timed_out(2)
    ack = replace(from_peer(tcb), ts_ecr=echo(tcb, again_us))
    tcb, _ = segment_arrives(tcb, ack, again_us + 28_000)
    assert tcb.round_trip.srtt_us == 21_000


def test_timeout__late_answer_to_the_first__is_a_round_trip() -> None:
    """It comes sooner after the retransmission than any answer to that can."""
    tcb, first_us, again_us = timed_out(1)
    ack = replace(from_peer(tcb), ts_ecr=echo(tcb, first_us))
    tcb, _ = segment_arrives(tcb, ack, again_us + 10_000)
    assert tcb.round_trip.srtt_us > 20_000 + (again_us - first_us) // 8


def test_timeout__ambiguous_and_no_duplicate_reported__the_timeout_stays_backed_off() -> None:
    tcb, first_us, again_us = timed_out(3)
    rto_us = tcb.round_trip.rto_us
    ack = replace(from_peer(tcb), ts_ecr=echo(tcb, first_us))
    tcb, _ = segment_arrives(tcb, ack, again_us + 50_000)
    assert tcb.round_trip.srtt_us == 20_000
    assert (tcb.backoff, tcb.round_trip.rto_us) == (0, rto_us * 8)


def test_half_of_the_acks_lost__the_estimate_never_runs_away() -> None:
    simulation = Simulation(
        Scenario(seed=3, transfer_bytes=60_000, rate_bps=100_000_000, buffer_bytes=3_000, ack_loss=0.5)
    )
    watched, worst_us = simulation.observer, 0

    def observer(before: object, event: object, after: object, actions: object) -> None:
        nonlocal worst_us
        watched(before, event, after, actions)  # type: ignore[arg-type]
        if isinstance(after, Tcb):
            worst_us = max(worst_us, after.round_trip.srtt_us)

    simulation.observer = observer  # type: ignore[assignment,method-assign]
    assert simulation.run().has_finished
    assert worst_us < 1_000_000
