"""Interrupting many: so many in a turn, each once, in order."""

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.interrupting import INTERRUPTED_MAX, Interruption


def test_interruption__few__all_at_once() -> None:
    seen: list[int] = []
    interruption = Interruption(seen.append)
    interruption.begin(range(INTERRUPTED_MAX))
    assert seen == list(range(INTERRUPTED_MAX))
    assert not interruption.left


def test_interruption__many__so_many_in_a_turn() -> None:
    seen: list[int] = []
    interruption = Interruption(seen.append)
    count = 2 * INTERRUPTED_MAX + 3
    interruption.begin(iter(range(count)))
    lengths = [len(seen)]
    while interruption.left:
        due_us = interruption.go_on()
        assert due_us == (0 if interruption.left else NEVER_US)
        lengths.append(len(seen))
    assert lengths == [INTERRUPTED_MAX, 2 * INTERRUPTED_MAX, count]
    assert seen == list(range(count))
