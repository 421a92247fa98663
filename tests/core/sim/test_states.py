"""Each state and its way in."""

import pytest

from gossamer.core.sim import states
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State


@pytest.mark.parametrize("state", State, ids=lambda state: state.name.lower())
def test_builder__of_each_state__is_in_it(state: State) -> None:
    assert states.IN_STATE[state](TcpParameters()).state is state
    assert states.IN_STATE[state](TcpParameters(timestamps=False, sack=False)).state is state


def test_simultaneous_open__crossed_syns__syn_received() -> None:
    assert states.crossed().state is State.SYN_RECEIVED
    assert not states.crossed().agreed.passive
