"""For how long a sender was held back, and by whom."""

from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send
from gossamer.core.tcp.info import info
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import SendLimit, Tcb

MS = 1_000


def times(tcb: Tcb, now_us: int) -> tuple[int | None, int | None, int | None]:
    found = info(tcb, now_us)
    return found.tcpi_busy_time, found.tcpi_rwnd_limited, found.tcpi_sndbuf_limited


def test_asked__one_segment_that_leaves_at_once__opens_no_record() -> None:
    tcb, _ = send(states.established(), bytes(1_000), NOW_US)
    assert tcb.send_limits is None
    assert times(tcb, NOW_US + MS) == (0, 0, 0)


def test_asked__a_second_write_behind_the_first__counts_from_the_first() -> None:
    tcb, _ = send(states.established(), bytes(1_000), NOW_US)
    tcb, _ = send(tcb, bytes(1_000), NOW_US + MS)
    assert times(tcb, NOW_US + 3 * MS) == (3 * MS, 0, 0)


def test_acknowledged__all_of_it__times_stay_and_the_record_goes() -> None:
    tcb, _ = send(states.established(), bytes(3_000), NOW_US)
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 30 * MS)
    assert tcb.send_limits is None
    assert times(tcb, NOW_US + 90 * MS) == (30 * MS, 0, 0)
    tcb, _ = send(tcb, bytes(3_000), NOW_US + 100 * MS)
    assert times(tcb, NOW_US + 110 * MS) == (40 * MS, 0, 0)


def test_judged__window_closed__the_receiver_is_to_blame_until_it_opens() -> None:
    tcb, _ = segment_arrives(states.established(), from_peer(states.established(), window=0), NOW_US)
    tcb, _ = send(tcb, bytes(100), NOW_US)
    assert tcb.send_limits is not None
    assert tcb.send_limits.limit is SendLimit.RECEIVER
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 50 * MS)
    assert times(tcb, NOW_US + 60 * MS) == (60 * MS, 50 * MS, 0)


def test_judged__cwnd_full__nobody_is_to_blame() -> None:
    tcb, _ = send(states.established(TcpParameters(send_buffer_bytes=20_000)), bytes(100_000), NOW_US)
    assert tcb.snd_buf_bytes == 20_000
    assert times(tcb, NOW_US + MS) == (MS, 0, 0)
