"""A connection written down and read again goes on as if nothing had happened (law 2)."""

from typing import Any

import pytest

from gossamer.core.sim import states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.tcp.codec import UndecodableConnection, decode, encode
from gossamer.core.tcp.parameters import PARAMETER_BOUNDS, TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State

OCTETS = bytes(range(256)) * 80
BAD = Faults(loss=0.05, duplicate=0.03, reorder=0.1, jitter_us=5_000)


class Rewritten:
    """An observer that repeats every step from the connection as it was written down."""

    def __init__(self) -> None:
        self.states: set[str] = set()

    def __call__(self, before: Any, event: Any, after: Any, actions: Any) -> None:
        copy = decode(encode(before))
        assert copy == before
        assert step(copy, event) == (after, actions)
        self.states.add(before.state.name if hasattr(before, "state") else "TIME_WAIT")


@pytest.mark.parametrize("options", [True, False], ids=["all options", "no options"])
@pytest.mark.parametrize("seed", range(4))
def test_step_of_the_decoded__at_every_state_of_a_run__equals_step(options: bool, seed: int) -> None:
    parameters = TcpParameters(
        receive_buffer_bytes=20_000, sack=options, timestamps=options, window_scaling=options
    )
    setting = EndSetting(User(OCTETS, reads_every_us=20_000, read_bytes=3_000), parameters, faults=BAD)
    rewritten = Rewritten()
    Pair(setting, EndSetting(User(OCTETS[:9_000]), parameters, faults=BAD), seed, rewritten).run()
    assert {"SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1"} <= rewritten.states


@pytest.mark.parametrize("state", State, ids=lambda state: state.name.lower())
def test_each_state__comes_back_equal(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    assert decode(encode(tcb)) == tcb


def test_time_wait__comes_back_equal() -> None:
    assert decode(encode(states.time_wait())) == states.time_wait()


def test_parameters_that_no_operator_may_set__come_back_equal() -> None:
    beyond = PARAMETER_BOUNDS["delayed_ack_us"].most + 1
    tcb = states.established(TcpParameters(delayed_ack_us=beyond))
    assert decode(encode(tcb)).agreed.parameters.delayed_ack_us == beyond


WHOLE = encode(states.established())


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x02\x01", b"\x01\x09", b"\x01\x01", b"\x01\x01\xc1", WHOLE[:-3]]
)
def test_what_is_no_connection__says_so(data: bytes) -> None:
    with pytest.raises(UndecodableConnection):
        decode(data)
