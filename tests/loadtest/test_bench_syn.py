"""The measurement of SYN floods measures what its names say."""

from gossamer.core.sim.device import SLOTS
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.loadtest.bench_syn import FLOOD, FORGED, FloodedServer, measured, ready, with_cookies_out


def test_flood__kept__each_syn_has_a_record_and_an_answer() -> None:
    victim = FloodedServer(TcpParameters(syn_cookies="off"))
    victim.take([ready(FLOOD, number) for number in range(3)])
    assert (victim.loop.statistics()["half_open"], victim.sink.unsent_total) == (3 * SLOTS, 3 * SLOTS)


def test_flood__cookies__each_syn_has_an_answer_and_no_record() -> None:
    victim = with_cookies_out()
    assert (victim.loop.connections, victim.sink.unsent_total) == (0, SLOTS)
    victim.take([ready(FORGED, 1)])
    # By chance a forged number may be one that a cookie could have, of another time.
    counts = victim.loop.statistics()
    assert counts["drop_cookie_invalid"] + counts["drop_cookie_early"] == SLOTS


def test_measured__few_batches__four_figures() -> None:
    figures = measured(batches_total=2)
    assert len(figures) == 4
    assert all(figure > 0 for figure in figures.values())
