"""The split of a server into shards."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.configuration.config import Config
from gossamer.shards.configuration.settings import combine, setting_of_assignment
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.plan.plan import MachineFacts, PortRange, choose_port_range, plan_shards, worker_count

TWO_CPUS = MachineFacts(cpus=(0, 1))


def config(*assignments: str) -> Config:
    return combine([setting_of_assignment(text) for text in assignments])


def test_plan__auto_where_nfqueue_is_to_be_had__nfqueue() -> None:
    plan = plan_shards(config(), TWO_CPUS)
    assert plan.stack == "nfqueue"
    assert [(shard.id, shard.cpu) for shard in plan.shards] == [(0, 0), (1, 1)]
    assert plan.queues == tuple(range(100, 108))


def test_plan__auto_with_an_obstacle__kernel_and_the_reason() -> None:
    plan = plan_shards(config(), MachineFacts(cpus=(0, 1), nfqueue_obstacle="needs root; use sudo"))
    assert (plan.stack, plan.reason) == ("kernel", "needs root; use sudo")
    assert plan.queues == ()


def test_plan__nfqueue_asked_for_with_an_obstacle__cannot_start() -> None:
    with pytest.raises(CannotStartError, match="needs root"):
        plan_shards(config("server.stack=nfqueue"), MachineFacts(cpus=(0,), nfqueue_obstacle="needs root"))


def test_plan__kernel_asked_for__kernel() -> None:
    assert plan_shards(config("server.stack=kernel"), TWO_CPUS).stack == "kernel"


def test_plan__taken_queues__skipped() -> None:
    facts = MachineFacts(cpus=(0, 1), queues_taken=frozenset({100, 102}))
    plan = plan_shards(config("nfqueue.queues=4"), facts)
    assert plan.queues == (101, 103, 104, 105)
    assert plan.handshake_queues == (106, 107, 108, 109)
    assert [plan.with_handshakes(number) for number in (101, 105, 7)] == [(101, 106), (105, 109), (7,)]


@pytest.mark.parametrize(
    ("assignments", "cpus", "count"),
    [
        ((), 1, 4),
        ((), 3, 16),
        (("server.workers=1",), 8, 32),
        (("server.workers=9",), 2, 64),
        (("server.workers=64",), 2, 256),
        (("server.workers=2", "nfqueue.queues=2"), 2, 2),
        (("server.workers=3", "nfqueue.backend=netfilterqueue"), 2, 3),
    ],
)
def test_plan__queues__four_for_each_worker_that_there_may_be(
    assignments: tuple[str, ...], cpus: int, count: int
) -> None:
    plan = plan_shards(config(*assignments), MachineFacts(cpus=tuple(range(cpus))))
    assert len(plan.queues) == len(set(plan.queues)) == count


@pytest.mark.parametrize("queues", [1, 3, 6])
def test_plan__queues_no_power_of_two_or_too_few__refused(queues: int) -> None:
    with pytest.raises(ConfigError, match=f"nfqueue.queues: found {queues}; allowed: a power of two"):
        plan_shards(config("server.workers=2", f"nfqueue.queues={queues}"), TWO_CPUS)


def test_plan__no_free_queue__cannot_start_and_says_how_many() -> None:
    facts = MachineFacts(cpus=(0,), queues_taken=frozenset({7}))
    with pytest.raises(CannotStartError, match="found 1 free"):
        plan_shards(config("nfqueue.queue_first=7", "nfqueue.queue_last=8", "nfqueue.queues=2"), facts)


def test_plan__more_workers_than_cpus__none_is_pinned() -> None:
    plan = plan_shards(config("server.workers=3"), TWO_CPUS)
    assert [shard.cpu for shard in plan.shards] == [None, None, None]


def test_plan__active_ports__one_slice_a_worker_without_overlap() -> None:
    facts = MachineFacts(cpus=(0, 1), port_ranges_taken=((61000, 61099),))
    plan = plan_shards(config("nfqueue.active_ports_per_worker=50"), facts)
    assert [shard.active_ports for shard in plan.shards] == [PortRange(61100, 61149), PortRange(61150, 61199)]


@given(
    st.lists(
        st.tuples(st.integers(61000, 61200), st.integers(0, 30)).map(lambda p: (p[0], p[0] + p[1])),
        max_size=8,
    ),
    st.integers(1, 60),
)
def test_choose_port_range__any_ranges_taken__free_and_the_first_or_none(
    taken: list[tuple[int, int]], count: int
) -> None:
    used = {port for low, high in taken for port in range(low, high + 1)}
    starts = (start for start in range(61000, 61201 - count) if not used & set(range(start, start + count)))
    expected = next(starts, None)
    if expected is None:
        with pytest.raises(CannotStartError):
            choose_port_range(61000, 61199, tuple(taken), count)
    else:
        assert choose_port_range(61000, 61199, tuple(taken), count) == PortRange(
            expected, expected + count - 1
        )


@given(st.integers(1, 64), st.frozensets(st.integers(100, 140)), st.integers(1, 8))
def test_plan__any_machine__every_queue_is_there_once(workers: int, taken: frozenset[int], cpus: int) -> None:
    facts = MachineFacts(cpus=tuple(range(cpus)), queues_taken=taken)
    plan = plan_shards(
        config(f"server.workers={workers}", "nfqueue.active_ports_per_worker=1"),
        facts,
    )
    own = {shard.active_queue for shard in plan.shards}
    assert len(own) == workers
    assert len(plan.queues) == len(set(plan.queues)) >= 4 * workers
    assert not {*own, *plan.queues, *plan.handshake_queues} & taken
    assert len({*own, *plan.queues, *plan.handshake_queues}) == len(own) + 2 * len(plan.queues)


HALF, ONE_AND_A_HALF = Fraction(1, 2), Fraction(3, 2)
EIGHT = tuple(range(8))


@pytest.mark.parametrize(
    ("facts", "workers"),
    [
        (MachineFacts(cpus=EIGHT), 8),
        (MachineFacts(cpus=(2, 5)), 2),
        (MachineFacts(cpus=EIGHT, cpu_quota=HALF), 1),
        (MachineFacts(cpus=EIGHT, cpu_quota=Fraction(1)), 1),
        (MachineFacts(cpus=EIGHT, cpu_quota=ONE_AND_A_HALF), 2),
        (MachineFacts(cpus=(0, 1), cpu_quota=Fraction(6)), 2),
        (MachineFacts(cpus=EIGHT, python_cpu_count="3"), 3),
        (MachineFacts(cpus=EIGHT, cpu_quota=HALF, python_cpu_count="3"), 3),
        (MachineFacts(cpus=(0,), python_cpu_count=" +2"), 2),
        (MachineFacts(cpus=(0, 1), python_cpu_count="default"), 2),
        (MachineFacts(cpus=(0, 1), python_cpu_count=""), 2),
        (MachineFacts(cpus=tuple(range(96))), 64),
        (MachineFacts(cpus=(0, 1), python_cpu_count="2000000000"), 64),
    ],
)
def test_worker_count__auto__affinity_quota_and_python_cpu_count(facts: MachineFacts, workers: int) -> None:
    assert worker_count(config(), facts) == workers


def test_worker_count__named__neither_quota_nor_python_cpu_count_matter() -> None:
    facts = MachineFacts(cpus=(0,), cpu_quota=HALF, python_cpu_count="no number")
    assert worker_count(config("server.workers=3"), facts) == 3


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "2 ", "1_0", "٣", "2147483648"])
def test_worker_count__ill_formed_python_cpu_count__refused_as_python_does(text: str) -> None:
    with pytest.raises(ConfigError, match="PYTHON_CPU_COUNT: found"):
        worker_count(config(), MachineFacts(cpus=(0,), python_cpu_count=text))


@pytest.mark.parametrize(
    ("workers", "cpus"),
    [(1, [None]), (2, [None, None]), (3, [4, 5, 7]), (4, [None] * 4)],
)
def test_plan__not_a_worker_for_each_cpu__none_is_pinned(workers: int, cpus: list[int | None]) -> None:
    """Two servers that begin at the first CPU would share it, and leave others idle."""
    plan = plan_shards(config(f"server.workers={workers}"), MachineFacts(cpus=(4, 5, 7)))
    assert [shard.cpu for shard in plan.shards] == cpus


def test_plan__one_cpu__its_worker_is_not_pinned() -> None:
    assert plan_shards(config("server.workers=1"), MachineFacts(cpus=(0,))).shards[0].cpu is None


@pytest.mark.parametrize(
    ("quota", "cpus"), [(None, [0, 1]), (Fraction(2), [0, 1]), (ONE_AND_A_HALF, [None, None])]
)
def test_plan__quota_below_the_cpus__none_is_pinned(quota: Fraction | None, cpus: list[int | None]) -> None:
    plan = plan_shards(config("server.workers=2"), MachineFacts(cpus=(0, 1), cpu_quota=quota))
    assert [shard.cpu for shard in plan.shards] == cpus
