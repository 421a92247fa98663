"""How short memory is, and what each connection may hold then."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.sim import states
from gossamer.core.sim.states import from_peer, segment_arrives, send
from gossamer.core.tcp.memory import FREE_BYTES, Level, held_bytes, level_after, pressure_bytes, share_bytes
from gossamer.core.tcp.parameters import MEMORY_UNLIMITED
from gossamer.core.wire.text import Extent

BUDGETS = st.integers(1 << 20, 1 << 34)


@given(BUDGETS, st.lists(st.integers(0, 1 << 35), max_size=30))
def test_level_after__any_course__rises_at_once_and_falls_below_where_it_rose(
    budget: int, course: list[int]
) -> None:
    level = Level.CALM
    for held in course:
        before, level = level, level_after(level, held, budget)
        assert level is level_after(level, held, budget), "the same amount changes the level twice"
        assert level is Level.FULL or held < budget
        assert level is not Level.CALM or held < pressure_bytes(budget)
        assert level is Level.CALM or held >= budget // 2
        assert level >= before or held < (pressure_bytes(budget) if before is Level.FULL else budget // 2)


@given(BUDGETS, st.integers(0, 1 << 20))
def test_share_bytes__any_number_of_holders__half_the_budget_evenly_and_never_less_than_is_free(
    budget: int, holders: int
) -> None:
    assert share_bytes(Level.CALM, holders, budget) == MEMORY_UNLIMITED
    assert share_bytes(Level.FULL, holders, budget) == FREE_BYTES
    share = share_bytes(Level.PRESSED, holders, budget)
    assert share >= FREE_BYTES
    assert share == FREE_BYTES or share * holders <= budget // 2
    assert share >= share_bytes(Level.PRESSED, holders + 1, budget)
    assert share & (share - 1) == 0


def test_level_after__unlimited__calm_whatever_is_held() -> None:
    assert level_after(Level.CALM, 1 << 39, MEMORY_UNLIMITED) is Level.CALM


def test_held_bytes__sent_received_and_out_of_order__files_take_none() -> None:
    tcb = states.established()
    assert held_bytes(tcb) == 0
    tcb, _ = send(tcb, b"s" * 30_000)
    tcb, _ = segment_arrives(tcb, from_peer(tcb, payload=b"r" * 100, ack=-30_000))
    tcb, _ = segment_arrives(tcb, from_peer(tcb, payload=b"o" * 50, seq=500, ack=-30_000))
    assert held_bytes(tcb) == held_bytes(tcb, has_files=True) == 30_150
    tcb, _ = send(tcb, Extent(1, 0, 100_000))
    assert held_bytes(tcb, has_files=True) == 30_150
