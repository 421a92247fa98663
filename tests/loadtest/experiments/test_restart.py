"""What clients lose while workers come and go: its lines, its goals, and as little of it as there can be."""

import pytest

from gossamer.loadtest.crowd import DOWNLOADS, KEPT, KINDS, CrowdSize
from gossamer.loadtest.experiments import restart
from gossamer.loadtest.experiments.restart import SPLIT, goals_of, lines_of, place_of
from gossamer.loadtest.experiments.restart_events import times_of
from gossamer.loadtest.experiments.rounds import Pace, Round

NONE = dict.fromkeys(restart.FAULTS, 0.0)
FEW = CrowdSize(4, 2, 2, 1 << 20)


def test_lines__a_sample_of_all_kinds__a_line_for_each() -> None:
    sample = {f"{KEPT}{SPLIT}lost": 1.0, f"{KEPT}{SPLIT}reset": 2.0, f"{DOWNLOADS}{SPLIT}lost": 3.0}
    assert lines_of({("kernel", "reload"): sample}) == {
        ("kernel", "reload, keep-alive"): {"lost": 1.0, "reset": 2.0},
        ("kernel", "reload, downloads"): {"lost": 3.0},
    }


def test_goals__faults_of_a_round_together__a_kill_counts_on_the_functional_tcp_alone() -> None:
    lines: Round = {
        (server, place_of(str(event), kind)): {**NONE, "lost": 1.0, "reset": 1.0}
        for server, event in restart.KEYS
        for kind in KINDS
    }
    lines["kernel", "kill, keep-alive"] = {**NONE, "lost": 1_000.0}
    lines["nginx", "reload, keep-alive"] = {**NONE, "lost": 1_000.0}
    found = {goal.name: (goal.samples, goal.verdict) for goal in goals_of([lines, lines])}
    without_kill = float(4 * len(KINDS) * 2)
    assert found == {
        "lost, reset, different or reopened on nfqueue, but by a kill": ([without_kill] * 2, "missed"),
        "lost, reset, different or reopened on nfqueue, by a kill": ([len(KINDS) * 2.0] * 2, "missed"),
        "lost, reset, different or reopened on kernel, but by a kill": ([without_kill] * 2, "missed"),
    }
    (goal,) = goals_of([{("nfqueue", "kill, keep-alive"): NONE}])
    assert goal.verdict == "met"
    assert goals_of([{}]) == []


def test_times__of_ten_reloads__as_many_as_were_asked_for() -> None:
    times = {event: times_of(event, 10) for event in restart.EVENTS}
    assert times == {"reload": 10, "scale": 5, "upgrade": 1, "orphan": 1, "kill": 10}
    assert min(times_of(event, 1) for event in restart.EVENTS) == 1


def test_quick__what_was_asked_for__no_more_than_a_look_needs() -> None:
    assert restart.quick(CrowdSize(500, 20, 1, 8 << 20)) == CrowdSize(50, 4, 1, 2 << 20)


def test_is_here__a_peer_that_is_not_installed__said() -> None:
    pace = Pace(lambda _: None, 1)
    assert not restart.is_here(pace, "no_such_server")
    assert pace.notes == ["no_such_server: not run, it is not installed (extra `bench`)"]


@pytest.mark.needs("namespaces")
def test_run__a_reload_on_kernel_sockets__every_kind_is_answered_and_none_lost() -> None:
    result = restart.run(Pace(lambda _: None, 1), FEW, 1, keys=[("kernel", "reload")])
    assert [point.x for point in result.points] == [place_of("reload", kind) for kind in KINDS]
    assert all(point.figures["answered"].least > 0 for point in result.points)
    assert [goal.verdict for goal in result.goals] == ["met"]


@pytest.mark.long
@pytest.mark.needs("nfqueue")
def test_run__every_event_on_the_functional_tcp__none_lost() -> None:
    keys = [key for key in restart.KEYS if key[0] == restart.SURVIVOR]
    result = restart.run(Pace(lambda _: None, 1), FEW, 2, keys=keys)
    assert [goal.verdict for goal in result.goals] == ["met", "met"], result.points


@pytest.mark.long
@pytest.mark.needs("namespaces")
def test_run__every_peer__reloaded_and_asked_beside() -> None:
    keys = [key for key in restart.KEYS if key[0] in restart.PEERS]
    pace = Pace(lambda _: None, 1)
    result = restart.run(pace, FEW, 1, keys=keys)
    left_out = {note.partition(":")[0] for note in pace.notes if ": not run, " in note}
    assert {(point.series, point.x) for point in result.points} == {
        (peer, place_of("reload", kind)) for peer in restart.PEERS if peer not in left_out for kind in KINDS
    }
