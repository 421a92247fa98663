"""ICMP errors: which of them count."""

import pytest
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.actions import Dropped, Failed, Failure, Signal
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import IcmpError, Send
from gossamer.core.tcp.icmp_error import is_hard
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State


@pytest.mark.parametrize("state", State)
def test_icmp__hard_error__ends_only_what_is_being_opened(state: State) -> None:
    """RFC 5927 5.2; RFC 5461: a hard error is soft in ESTABLISHED."""
    tcb = states.IN_STATE[state](TcpParameters())
    tcb = states.after(tcb, Send(b"x", NOW_US)) if state in (State.ESTABLISHED, State.CLOSE_WAIT) else tcb
    after, actions = step(tcb, IcmpError(tcb.snd_una, True, NOW_US))
    if state is State.SYN_SENT:
        assert (after, actions) == (None, (Failed(Failure.UNREACHABLE),))
    elif state is State.SYN_RECEIVED:
        assert (after, actions) == (None, (Signal.HALF_OPEN_GONE,))
    else:
        assert (after, actions) == (tcb, (Dropped(SegmentDrop.ICMP_IGNORED),))


@pytest.mark.parametrize("seq", [-1, 1, 100_000])
def test_icmp__quoted_segment_not_in_flight__ignored(seq: int) -> None:
    tcb = states.syn_sent()
    event = IcmpError(seq_add(tcb.snd_una, seq), True, NOW_US)
    assert step(tcb, event) == (tcb, (Dropped(SegmentDrop.ICMP_IGNORED),))


def test_icmp__fragmentation_needed__is_not_hard() -> None:
    """RFC 1191: not an end, whatever MTU it tells."""
    assert not is_hard(3, 4, True)
    assert not is_hard(2, 0, False)
    assert is_hard(3, 3, True)
    assert is_hard(1, 4, False)
