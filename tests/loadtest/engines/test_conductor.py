"""Several engine processes as one run: sums, one that dies, one that cannot begin."""

import io
import os
import signal
import time

import pytest
from rich.console import Console

from gossamer.core.clock import SECOND_US, monotonic_us
from gossamer.loadtest.engines.conductor import Conductor
from gossamer.loadtest.engines.letter import letter_of, result_from
from gossamer.loadtest.engines.seat import EngineSeat
from gossamer.loadtest.engines.share import options_of
from gossamer.loadtest.engines.shared import BEGIN_US, STOOD, EngineRow, SharedBoard
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.report import ProgressDisplay
from gossamer.loadtest.result import RunResult, result_of
from gossamer.loadtest.seat import SeatedRun
from gossamer.loadtest.summary import is_whole, summary
from gossamer.loadtest.target import Target
from gossamer.shards.exitcode import CannotStartError

from ..virtual_server import ANSWER, Fate, perform, random_fates

OPTIONS = LoadOptions(Target("a:1", "/", (("192.0.2.1", 80),)), 7, SECOND_US, 1_000_000, rate=333.0)


class VirtualSeat(EngineSeat):
    """Waits for the board in real time, and begins in virtual."""

    async def begin_us(self, run: SeatedRun) -> int:
        self.row.words[STOOD] = run.stood + 1
        while not self.board.words[BEGIN_US]:
            time.sleep(0.001)
        return SECOND_US


def virtual(options: LoadOptions, seat: EngineSeat, fate: Fate = lambda _: (1_000, ANSWER)) -> RunResult:
    asked = {name: getattr(options, name) for name in options.__struct_fields__ if name != "target"}
    mine = VirtualSeat(seat.number, seat.engines, seat.board, seat.row)
    return result_of(perform(fate, seat=mine, **asked))


def conducted(perform_engine: object, options: LoadOptions = OPTIONS, engines: int = 2) -> RunResult:
    display = ProgressDisplay(Console(file=io.StringIO()))
    return Conductor(options, engines, display, monotonic_us).run(perform_engine)  # type: ignore[arg-type]


def test_share__of_all_engines__the_whole() -> None:
    parts = [options_of(OPTIONS, number, 3) for number in range(3)]
    assert [part.connections for part in parts] == [3, 2, 2]
    assert sum(part.requests_max for part in parts) == OPTIONS.requests_max
    assert sum(part.rate for part in parts) == pytest.approx(OPTIONS.rate)


@pytest.mark.parametrize("process", ["even", "poisson"])
def test_two_engines__each_request_once__as_of_one(process: str) -> None:
    options = LoadOptions(*_positional(), rate=333.0, process=process, seed=3)
    one = perform(lambda _: (1_000, ANSWER), rate=333.0, connections=7, process=process, seed=3)
    whole = conducted(virtual, options)
    assert whole.due == whole.tally.answered_total == one.due
    assert (whole.engines, whole.stood) == (2, 7)
    assert whole.tally.response.samples_total == one.due
    assert is_whole(summary(whole))


def _positional() -> tuple[Target, int, int, int]:
    return OPTIONS.target, OPTIONS.connections, OPTIONS.duration_us, OPTIONS.requests_max


def test_engine_dies__noticed_and_told__what_it_counted_stays() -> None:
    def dies(options: LoadOptions, seat: EngineSeat) -> RunResult:
        result = virtual(options, seat)
        if seat.number == 1:
            seat.row.publish(result.tally)
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    found = summary(conducted(dies))
    assert found["requests_total"] == found["due_total"] == 333
    assert found["valid"] is False
    assert "engine 1 died of SIGKILL" in found["warnings"][0]["line"]
    assert not is_whole(found)


def test_engine_dies_before_the_start__the_others_go_on() -> None:
    def dies(options: LoadOptions, seat: EngineSeat) -> RunResult:
        if seat.number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return virtual(options, seat)

    found = summary(conducted(dies))
    assert found["requests_total"] == pytest.approx(333 / 2, abs=1)


def test_engine_cannot_begin__its_line() -> None:
    def fails(_options: LoadOptions, _seat: EngineSeat) -> RunResult:
        raise CannotStartError("no raw socket: denied")

    with pytest.raises(CannotStartError, match="no raw socket: denied"):
        conducted(fails)


def test_letter__of_a_run_with_errors__the_same_result() -> None:
    board, row = SharedBoard(), EngineRow()
    board.words[BEGIN_US] = SECOND_US
    seat = EngineSeat(1, 2, board, row)
    result = virtual(OPTIONS, seat, random_fates(5, 20_000))
    row.publish(result.tally)
    again = result_from(letter_of(result), row, OPTIONS)
    assert summary(again) == summary(result)
    assert summary(again)["errors"]
