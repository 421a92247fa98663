"""How much of a SEND finds room, and when one that waits hears of some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Accepted, Signal
from gossamer.core.tcp.constants import EXTENT_BYTES_MIN
from gossamer.core.tcp.events import SegmentArrives, Send, SetOptions
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.send_space import gives_space, room_bytes, unsent_bytes
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.text import Extent

PARAMETERS = TcpParameters(send_buffer_bytes=100_000, send_file_bytes=1_000_000)


def holding(octets: int, parameters: TcpParameters = PARAMETERS) -> Tcb:
    """A connection that has so much to send."""
    return replace(states.established(parameters), snd_buf_bytes=octets)


@pytest.mark.parametrize(
    ("held", "octets", "of_file"),
    [
        (0, 100_000, 1_000_000),
        (40_000, 60_000, 960_000),
        (100_000, 0, 900_000),
        (500_000, 0, 500_000),
        (1_000_000 - EXTENT_BYTES_MIN, 0, EXTENT_BYTES_MIN),
        (1_000_001 - EXTENT_BYTES_MIN, 0, 0),
        (1_000_000, 0, 0),
    ],
)
def test_room__for_octets_and_for_files(held: int, octets: int, of_file: int) -> None:
    tcb = holding(held)
    assert room_bytes(tcb, bytes(2_000_000)) == octets
    assert room_bytes(tcb, Extent(1, 0, 2_000_000)) == of_file


def test_room__for_the_short_end_of_a_file__as_much_as_it_is() -> None:
    assert room_bytes(holding(999_990), Extent(1, 0, 10)) == 10
    assert room_bytes(holding(999_991), Extent(1, 0, 10)) == 0


def test_room__larger_send_buffer__is_for_files_too() -> None:
    parameters = TcpParameters(send_buffer_bytes=3_000_000, send_file_bytes=1_000_000)
    assert room_bytes(holding(2_000_000, parameters), Extent(1, 0, 5_000_000)) == 1_000_000
    assert not gives_space(parameters, 900_000, 800_000)


def test_send__more_of_a_file_than_there_is_room_for__the_rest_is_left() -> None:
    tcb, actions = step(states.established(PARAMETERS), Send(Extent(4, 100, 3_000_000), NOW_US))
    assert isinstance(tcb, Tcb)
    assert actions[-1] == Accepted(1_000_000)
    assert (tcb.snd_buf, tcb.snd_buf_bytes) == ((Extent(4, 100, 1_000_000),), 1_000_000)


@given(
    of_octets=st.integers(4_096, 300_000),
    of_files=st.integers(4_096, 300_000),
    acked=st.lists(st.integers(1, 100_000), max_size=40),
    is_file=st.booleans(),
)
def test_blocked_send__however_the_buffer_empties__is_woken_with_room(
    of_octets: int, of_files: int, acked: list[int], is_file: bool
) -> None:
    """Nobody waits for ever: once all is acknowledged there was a signal, and something found room at it or
    at a later one."""
    parameters = TcpParameters(send_buffer_bytes=of_octets, send_file_bytes=of_files)
    data = Extent(1, 0, 1 << 30) if is_file else bytes(1 << 20)
    held = max(of_octets, of_files)
    if not room_bytes(holding(held, parameters), data):
        found = 0
        for count in (*acked, held):
            after = max(held - count, 0)
            if gives_space(parameters, held, after):
                found = max(found, room_bytes(holding(after, parameters), data))
            held = after
        assert found


@pytest.mark.parametrize("lowat", [1, 1_000, 16_384, 100_000])
@pytest.mark.parametrize("octets", [1, 40_000, 300_000])
def test_notsent_lowat__who_waits_hears_of_room__and_all_is_sent(lowat: int, octets: int) -> None:
    """TCP_NOTSENT_LOWAT: whatever is acknowledged when, a SEND that is to be tried again is named."""
    tcb: Tcb = states.established(replace(PARAMETERS, notsent_lowat_bytes=lowat))
    rest, is_waiting = octets, False
    for _ in range(3 * octets // 1448 + 10):
        if rest and not is_waiting:
            after, actions = step(tcb, Send(bytes(rest), NOW_US))
            rest = rest - actions[-1].count if isinstance(actions[-1], Accepted) else 0
            is_waiting = rest > 0
        else:
            after, actions = step(tcb, SegmentArrives(from_peer(tcb), NOW_US))
            is_waiting = is_waiting and Signal.SEND_SPACE not in actions
        assert isinstance(after, Tcb)
        tcb = after
        assert unsent_bytes(tcb) <= max(lowat, tcb.agreed.smss) + tcb.agreed.smss
    assert (rest, tcb.snd_buf_bytes) == (0, 0)


def test_notsent_lowat__raised__who_waits_goes_on() -> None:
    tcb, _ = step(states.established(replace(PARAMETERS, notsent_lowat_bytes=1)), Send(bytes(90_000), NOW_US))
    assert isinstance(tcb, Tcb)
    assert room_bytes(tcb, bytes(10)) == 0
    tcb, actions = step(tcb, SetOptions(SocketOptions(notsent_lowat_bytes=50_000), NOW_US))
    assert Signal.SEND_SPACE in actions
    assert isinstance(tcb, Tcb)
    assert room_bytes(tcb, bytes(10)) == 10
