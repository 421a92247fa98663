"""What is sent when: Nagle, silly windows on both sides, delayed ACKs."""

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, segments_in, send, stepped
from gossamer.core.tcp.events import Abort, Close, Receive, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, PSH, SYN

SMSS = 1448
MS = 1_000
NAGLE = TcpParameters(nodelay=False)


def test_nagle__small_write_with_data_in_flight__waits_for_the_ack() -> None:
    tcb, first = send(states.established(NAGLE), b"a")
    tcb, second = send(tcb, b"b")
    tcb, third = send(tcb, b"c")
    assert ([s.payload for s in first], second, third) == ([b"a"], [], [])
    tcb, sent = segment_arrives(tcb, from_peer(tcb))
    assert [s.payload for s in sent] == [b"bc"]


def test_nagle__full_segment__goes_at_once() -> None:
    tcb, _ = send(states.established(NAGLE), b"a")
    _, sent = send(tcb, b"b" * (SMSS + 5))
    assert [len(s.payload) for s in sent] == [SMSS]


def test_nodelay__small_writes__go_at_once() -> None:
    tcb, _ = send(states.established(), b"a")
    _, sent = send(tcb, b"b")
    assert [s.payload for s in sent] == [b"b"]


def test_nagle__close__flushes() -> None:
    tcb, _ = send(states.established(NAGLE), b"a")
    tcb, _ = send(tcb, b"b")
    _, sent = stepped(tcb, Close(NOW_US, receives=True))
    assert [(s.payload, bool(s.flags & FIN)) for s in sent] == [(b"b", True)]


def test_sender__window_opens_by_a_sliver__nothing_until_the_persist_timer() -> None:
    """RFC 9293 3.8.6.2.1: neither a full segment, nor half the largest window, nor all that is queued."""
    tcb = states.established()
    tcb, _ = segment_arrives(tcb, from_peer(tcb, window=25))
    tcb, sent = send(tcb, b"x" * 1_000)
    assert sent == []
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [len(s.payload) for s in sent] == [100], "the override timeout sends what the window takes"


def test_sender__half_the_largest_window__is_worth_sending() -> None:
    tcb = states.established()
    tcb = replace(tcb, max_snd_wnd=400)
    tcb, _ = segment_arrives(tcb, from_peer(tcb, window=50))
    _, sent = send(tcb, b"x" * 1_000)
    assert [len(s.payload) for s in sent] == [200]


def test_receiver__reader_takes_little__window_grows_only_by_a_worthwhile_amount() -> None:
    """RFC 9293 3.8.6.2.2: RCV.WND stays until min(RCV.BUFF / 2, Eff.snd.MSS) can be added."""
    tcb = states.established(TcpParameters(receive_buffer_bytes=8_000, window_scaling=False))
    for _ in range(8):
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ACK | PSH, b"x" * 1_000))
    assert tcb.rcv_wnd == 0
    for _ in range(14):
        tcb, sent = stepped(tcb, Receive(100, NOW_US))
        assert (tcb.rcv_wnd, sent) == (0, []), "no silly window is advertised"
    tcb, sent = stepped(tcb, Receive(100, NOW_US))
    assert [s.window for s in sent] == [1_500], "a closed window that opens is advertised at once"


def test_delayed_ack__one_small_segment__acknowledged_within_the_delay() -> None:
    tcb = states.established()
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ACK | PSH, b"x"))
    assert sent == []
    assert deadline_us(tcb) == NOW_US + 40 * MS
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]
    assert deadline_us(tcb) == NEVER_US


def test_delayed_ack__second_full_segment__acknowledged_at_once() -> None:
    tcb = states.established()
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ACK, b"x" * SMSS))
    assert sent == []
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ACK, b"y" * SMSS))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]


def test_delayed_ack__answer_within_the_delay__carries_it() -> None:
    tcb = states.established()
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ACK | PSH, b"question"))
    tcb, sent = send(tcb, b"answer")
    assert [(s.ack, s.payload) for s in sent] == [(tcb.rcv_nxt, b"answer")]
    assert tcb.ack_at_us == NEVER_US


def test_gap_filled__acknowledged_at_once() -> None:
    """RFC 5681 4.2."""
    tcb = states.established()
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ACK, b"second", seq=5))
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ACK, b"first"))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]
    assert tcb.rcv_buf_bytes == 11
    assert tcb.reassembly is None


@pytest.mark.parametrize(
    ("size", "blocks"), [(5, 3), (1448 - 28, 3), (1448 - 27, 2), (1448 - 12, 1), (1448 - 11, 0), (1448, 0)]
)
def test_new_data__octets_held_out_of_order__as_many_sack_blocks_as_fit(size: int, blocks: int) -> None:
    """RFC 2018 4."""
    tcb = states.established()
    for seq in (100, 300, 500, 700):
        tcb, _ = segment_arrives(tcb, from_peer(tcb, payload=b"x", seq=seq))
    tcb, (segment,) = send(tcb, bytes(size))
    latest = [(tcb.rcv_nxt + seq) % (1 << 32) for seq in (700, 500, 300)]
    assert [left for left, _ in segment.sack] == latest[:blocks]
    assert len(segment.payload) == size


def test_new_data__held_out_of_order_without_sack__no_blocks() -> None:
    tcb = states.established(TcpParameters(sack=False))
    tcb, _ = segment_arrives(tcb, from_peer(tcb, payload=b"x", seq=100))
    _, (segment,) = send(tcb, b"short")
    assert segment.sack == ()


def test_long_write__full_segments__the_last_alone_is_pushed() -> None:
    """RFC 9293 3.9.1: MUST-61 (PSH in the last buffered segment), SHLD-27 (successive PSH bits collapse),
    SHLD-28 (segments as large as may be)."""
    tcb, sent = send(states.established(), b"x" * (3 * SMSS + 10))
    assert [len(segment.payload) for segment in sent] == [SMSS, SMSS, SMSS, 10]
    assert [bool(segment.flags & PSH) for segment in sent] == [False, False, False, True]
    _, sent = send(tcb, b"y")
    assert [segment.flags for segment in sent] == [ACK | PSH]


@pytest.mark.parametrize("state", [state for state in State if state > State.SYN_RECEIVED], ids=str)
def test_synchronized__whatever_is_sent__has_no_option_of_a_syn(state: State) -> None:
    """RFC 9293 3.7.1, MUST-65: MSS only where the SYN bit is set."""
    tcb = states.IN_STATE[state](TcpParameters(keepalive_idle_us=SECOND_US))
    _, sent = segment_arrives(tcb, from_peer(tcb, ACK | SYN, seq=-1, ack=-1))
    tcb, more = segment_arrives(tcb, from_peer(tcb, ACK, b"again", seq=-5, ack=-1))
    actions = step(tcb, Timeout(NOW_US + SECOND_US))[1] + step(tcb, Abort(NOW_US))[1]
    sent += more + segments_in(actions)
    assert sent
    assert [segment.syn_options for segment in sent] == [None] * len(sent)
    assert not any(segment.flags & SYN for segment in sent)


def test_window_taken_back__nothing_new_is_sent() -> None:
    """RFC 9293 3.8.6, SHLD-15: "the sender SHOULD NOT send new data"."""
    tcb, first = send(states.established(), b"x" * 2 * SMSS)
    assert len(first) == 2
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=-2 * SMSS, window=SMSS // 4))
    assert tcb.snd_wnd < 2 * SMSS
    _, sent = send(tcb, b"y" * SMSS)
    assert sent == []
