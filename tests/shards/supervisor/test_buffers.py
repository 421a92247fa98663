"""What the buffers of all workers may hold together, while workers come and go."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.configuration.config import Config, ServerConfig
from gossamer.shards.letters.letters import BuffersLetter
from gossamer.shards.seen.counters import COLUMNS, WorkerState
from gossamer.shards.supervisor.buffers import PART_MIN, SharedBuffers, part_of

MIB = 1 << 20


class Told:
    """As much of a worker's process as is told its part."""

    def __init__(self, pid: int, state: WorkerState = WorkerState.SERVING, columns: Any = COLUMNS) -> None:
        self.pid, self.state, self.columns = pid, state, columns
        self.takes_letters = True
        self.letters: list[BuffersLetter] = []

    def send_letter(self, letter: BuffersLetter, _descriptors: Any) -> bool:
        if self.takes_letters:
            self.letters.append(letter)
        return self.takes_letters

    def parts(self) -> list[int]:
        """What it was told, in MiB."""
        return [letter.bytes_max // MIB for letter in self.letters]


def buffers_of(processes: list[Told], whole_mib: int = 96, stack: str = "nfqueue") -> SharedBuffers:
    config = Config(server=ServerConfig(limit_buffers_bytes=whole_mib * MIB))
    run: Any = SimpleNamespace(config=config, plan=SimpleNamespace(stack=stack))
    children: Any = SimpleNamespace(processes=lambda: iter(processes))
    return SharedBuffers(run, children)


@given(st.integers(0, 1 << 40), st.integers(0, 64), st.integers(PART_MIN, 1 << 40))
def test_part_of__any_whole__never_more_together_but_for_the_least(
    whole: int, workers: int, most: int
) -> None:
    part = part_of(whole, workers, most)
    assert PART_MIN <= part <= most
    assert part == PART_MIN or part * workers <= whole


def test_workers_come_and_go__each_is_told_its_part_once() -> None:
    first, second, third = Told(1), Told(2), Told(3)
    processes = [first]
    buffers = buffers_of(processes)
    for there in ([first], [first], [first, second], [first, second, third], [second]):
        processes[:] = there
        buffers.tick()
    assert [each.parts() for each in (first, second, third)] == [[96, 48, 32], [48, 32, 96], [32]]


def test_one_that_starts_or_takes_no_letter__is_told_later_and_counts_at_once() -> None:
    first, starting, full = Told(1), Told(2, WorkerState.STARTING), Told(3)
    full.takes_letters = False
    buffers = buffers_of([first, starting, full])
    buffers.tick()
    assert [each.parts() for each in (first, starting, full)] == [[32], [], []]
    starting.state, full.takes_letters = WorkerState.SERVING, True
    buffers.tick()
    assert [each.parts() for each in (first, starting, full)] == [[32], [32], [32]]


def test_one_of_an_older_version__is_told_nothing_that_it_cannot_read() -> None:
    old = Told(1, columns=("heartbeat_us", "state"))
    buffers_of([old]).tick()
    assert old.letters == []


def test_no_limit_or_no_buffers_of_ours__nobody_is_told() -> None:
    process = Told(1)
    buffers_of([process], whole_mib=0).tick()
    buffers_of([process], stack="kernel").tick()
    assert process.letters == []
