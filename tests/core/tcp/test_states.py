"""Each state, its way in, and that it survives being written down."""

import pytest
from gossamer.core.sim import states
from gossamer.core.tcp.codec import UndecodableConnection, decode, encode
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State, TimeWait


@pytest.mark.parametrize("state", State)
def test_builder__of_each_state__is_in_it(state: State) -> None:
    assert states.IN_STATE[state](TcpParameters()).state is state
    assert states.IN_STATE[state](TcpParameters(timestamps=False, sack=False)).state is state


def test_simultaneous_open__crossed_syns__syn_received() -> None:
    assert states.crossed().state is State.SYN_RECEIVED
    assert not states.crossed().agreed.passive


@pytest.mark.parametrize("state", State)
def test_codec__each_state__comes_back_equal(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    assert decode(encode(tcb)) == tcb


def test_codec__time_wait__comes_back_equal() -> None:
    record = states.time_wait()
    assert isinstance(record, TimeWait)
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x02\x01", b"\x01\x09", b"\x01\x01", b"\x01\x01\xc1", encode(states.established())[:-3]],
)
def test_codec__what_is_no_connection__says_so(data: bytes) -> None:
    with pytest.raises(UndecodableConnection):
        decode(data)
