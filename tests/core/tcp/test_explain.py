"""A connection in lines for people."""

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.tcp.explain import explain
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.tcb import TimeWait


def rows(text: str) -> dict[str, str]:
    """The lines below the first, by name."""
    return {name: value for name, _, value in (line.strip().partition(" ") for line in text.splitlines()[1:])}


def test_one_record__fields_at_their_default_are_left_out() -> None:
    tcb = states.established()
    shown = rows(explain(tcb))
    assert {"backoff", "retransmits_total", "snd_buf_bytes", "receive_closed", "agreed.ecn"}.isdisjoint(shown)
    assert not [name for name, value in shown.items() if value.strip() in ("0", "0 us", "False")]
    assert {"snd_una", "snd_nxt", "rcv_nxt", "snd_wnd", "rcv_wnd", "agreed.smss"} <= set(shown)
    assert "congestion.cwnd" in shown
    assert "state" not in shown, "it is the first line"


def test_one_record__a_closed_window_is_said() -> None:
    shown = rows(explain(replace(states.established(), snd_wnd=0, backoff=2)))
    assert shown["snd_wnd"].strip() == "0"
    assert shown["backoff"].strip() == "2"


def test_one_record__of_a_record_in_it_what_differs_from_its_own_defaults() -> None:
    tcb = states.established()
    shown = rows(explain(replace(tcb, recovery=Recovery(Phase.LOSS, tcb.snd_nxt, dup_acks=3))))
    assert shown["recovery.phase"].strip() == "LOSS"
    assert shown["recovery.dup_acks"].strip() == "3"
    assert "recovery.lost_bytes" not in shown


def test_one_record__of_the_parameters_what_was_set() -> None:
    shown = rows(explain(states.established(TcpParameters(nodelay=False))))
    assert [name for name in shown if name.startswith("agreed.parameters.")] == ["agreed.parameters.nodelay"]


def test_time_wait__what_it_is_and_until_when() -> None:
    text = explain(
        TimeWait(snd_nxt=states.established().snd_nxt, rcv_nxt=5, rcv_wnd_field=0, expires_at_us=7)
    )
    assert text.splitlines()[0] == "TIME-WAIT"
    assert set(rows(text)) == {"snd_nxt", "rcv_nxt", "rcv_wnd_field", "expires_at_us"}


def test_two_records__what_differs__defaults_too() -> None:
    tcb = states.established()
    assert rows(explain(replace(tcb, backoff=1), tcb)) == {"backoff": "  1 -> 0"}
