"""The persist timer: closed windows, probes, and who is given up."""

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send, stepped
from gossamer.core.tcp.actions import Failed, Failure
from gossamer.core.tcp.events import Abort, Close, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, Segment

MS = 1_000


def closed_window(parameters: TcpParameters | None = None) -> Tcb:
    """Data waits, and the peer's window is closed."""
    tcb = states.established(parameters or TcpParameters())
    tcb, _ = segment_arrives(tcb, from_peer(tcb, window=0))
    tcb, sent = send(tcb, b"waits" * 1_000)
    assert sent == []
    return tcb


def test_persist__answered__goes_on_for_ever_and_no_wait_is_over_the_ceiling() -> None:
    """RFC 6429; the seed indexed a table of 13 waits past its end."""
    tcb, now_us, waits = closed_window(), NOW_US, []
    for _ in range(100):
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        tcb, sent = stepped(tcb, Timeout(now_us))
        assert [(s.seq, len(s.payload)) for s in sent] == [(tcb.snd_una, 1)]
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=-1, window=0), now_us + 1)
    assert waits == sorted(waits)
    assert waits[-1] <= 60_000 * MS


def test_persist__unanswered__given_up() -> None:
    after: object = closed_window()
    for _ in range(40):
        assert isinstance(after, Tcb)
        after, actions = step(after, Timeout(deadline_us(after)))
        if after is None:
            break
    assert actions == (Failed(Failure.TIMED_OUT),)


def test_persist__closed_by_its_user_and_answered__given_up_all_the_same() -> None:
    """RFC 6429 4: nobody owns it any more, and a peer may not hold it for ever."""
    tcb, now_us = states.after(closed_window(), Close(NOW_US)), NOW_US
    for _ in range(TcpParameters().retries + 1):
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
        if not isinstance(after, Tcb):
            break
        tcb, _ = segment_arrives(after, from_peer(after, ack=-1, window=0), now_us + 1)
    assert (after, actions) == (None, (Failed(Failure.TIMED_OUT),))


def test_persist__user_timeout__counts_while_probes_are_answered() -> None:
    """RFC 5482: data that stays unacknowledged for so long ends the connection."""
    tcb, now_us = closed_window(TcpParameters(user_timeout_us=30_000 * MS)), NOW_US
    for _ in range(100):
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
        if not isinstance(after, Tcb):
            break
        tcb, _ = segment_arrives(after, from_peer(after, ack=-1, window=0), now_us + 1)
    assert (after, actions) == (None, (Failed(Failure.TIMED_OUT),))
    assert 30_000 * MS <= now_us - NOW_US <= 120_000 * MS


def test_persist__window_opens__all_goes_at_once() -> None:
    tcb = closed_window()
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ack=-1), NOW_US + 1_000 * MS)
    assert sum(len(s.payload) for s in sent) == 5_000
    assert sent[0].seq == tcb.snd_una, "the probe's octet goes again"


def test_persist__fin_behind_a_closed_window__is_probed_with() -> None:
    tcb = states.established()
    tcb, _ = segment_arrives(tcb, from_peer(tcb, window=0))
    tcb, sent = stepped(tcb, Close(NOW_US, receives=True))
    assert sent == []
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [s.flags & FIN for s in sent] == [FIN]


def test_persist__probe_under_way__acks_and_resets_stay_inside_the_closed_window() -> None:
    """From SND.NXT, an octet beyond the window, the peer would take neither."""
    tcb = closed_window()
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    assert tcb.snd_nxt == seq_add(tcb.snd_una, 1)
    text = from_peer(tcb, ack=-1, window=0, payload=b"x" * 3_000)
    after, sent = segment_arrives(tcb, text, tcb.rtx_at_us - 1)
    assert [(s.seq, s.ack, s.payload) for s in sent] == [(tcb.snd_una, after.rcv_nxt, b"")]
    _, actions = step(after, Abort(NOW_US))
    assert [a.seq for a in actions if isinstance(a, Segment)] == [tcb.snd_una]


def test_zero_window__probe_arrives__acknowledged_and_not_taken() -> None:
    tcb = replace(states.established(), rcv_wnd=0)
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ACK, b"p"))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]
    assert tcb.rcv_buf_bytes == 0


def test_persist__first_probe__after_the_retransmission_timeout() -> None:
    """RFC 9293 3.8.6.1: SHLD-29, and SHLD-30: "increase exponentially the interval between successive
    probes"."""
    tcb, now_us, waits = closed_window(), NOW_US, []
    rto_us = tcb.round_trip.rto_us
    for _ in range(5):
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        tcb, _ = stepped(tcb, Timeout(now_us))
    assert waits == [rto_us << n for n in range(5)]
