"""Steps that are repeated from what was written down."""

import pytest

from gossamer.core.sim import migration, states
from gossamer.core.sim.migration import Migration
from gossamer.core.tcp.events import Send
from gossamer.core.tcp.step import Connection, step

NOW_US = states.NOW_US


def test_sample__of_one_in_fifty__is_about_that() -> None:
    migrates, tcb, event = Migration(seed=4), states.established(), Send(b"x" * 10, states.NOW_US)
    after, actions = step(tcb, event)
    for _ in range(5_000):
        migrates(tcb, event, after, actions)
    assert 60 < migrates.checked_total < 160


def test_step__that_came_out_otherwise__is_found() -> None:
    tcb, event = states.established(), Send(b"x" * 10, NOW_US)
    after, _ = step(tcb, event)
    with pytest.raises(AssertionError, match="goes on otherwise"):
        Migration(0, every=1)(tcb, event, after, ())


def test_connection__that_loses_something_on_the_way__is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(_data: bytes) -> Connection:
        return states.syn_sent()

    monkeypatch.setattr(migration, "decode", forgets)
    tcb, event = states.established(), Send(b"x" * 10, NOW_US)
    with pytest.raises(AssertionError, match="does not come back"):
        Migration(0, every=1)(tcb, event, *step(tcb, event))
