"""Forks engines, starts them at one instant, watches them, and adds up what they have counted.

Owns the processes. An engine that dies is noticed at once; what it had counted stands in its row, and the run
says that it is lost. Signals that end a run are handed on; an engine whose conductor is gone ends itself.
"""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from typing import IO, Final

import msgspec

from gossamer.core.clock import Clock
from gossamer.loadtest.arrivals import arrivals_of
from gossamer.loadtest.engines.letter import EngineLetter, letter_of, result_from, result_without
from gossamer.loadtest.engines.seat import EngineSeat
from gossamer.loadtest.engines.share import options_of
from gossamer.loadtest.engines.shared import BEGIN_US, END, STOOD, EngineRow, SharedBoard
from gossamer.loadtest.options import LoadOptions, course_of
from gossamer.loadtest.pace import Shape, due_total
from gossamer.loadtest.report import ProgressDisplay
from gossamer.loadtest.result import RunResult, merged
from gossamer.loadtest.tally import Tally
from gossamer.loadtest.thresholds import missed_for_good
from gossamer.loadtest.timeline import Timeline
from gossamer.shards.exitcode import CommandError, command_error

LEAD_US: Final = 30_000
LEAD_US_EACH: Final = 20
"""The clock starts so long after the last engine is ready, and so much for each connection of one."""
LOOK_SECONDS: Final = 0.005
DRAW_US: Final = 100_000
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PerformEngine = Callable[[LoadOptions, EngineSeat], RunResult]
"""Performs the part of one engine, in its process. Raises: CommandError."""


class EngineProcess:
    """One engine, as the conductor sees it."""

    def __init__(self, number: int, options: LoadOptions) -> None:
        self.number = number
        self.options = options
        self.row = EngineRow()
        self.letter: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the engine
        self.pid = 0
        self.status: int | None = None
        """How it ended, as waitpid(2) says; None while it runs."""

    def start(self, perform: PerformEngine, board: SharedBoard, engines: int) -> None:
        """Fork it."""
        self.pid = os.fork()
        if not self.pid:
            code = 1
            try:
                code = self._run(perform, EngineSeat(self.number, engines, board, self.row))
            finally:
                os._exit(code)

    def _run(self, perform: PerformEngine, seat: EngineSeat) -> int:
        """In the process of the engine: perform, and write the letter; the exit code."""
        try:
            result = perform(self.options, seat)
        except CommandError as error:
            letter = EngineLetter(failure=str(error), exit_code=int(error.exit_code))
        else:
            self.row.publish(result.tally)
            letter = letter_of(result)
        self.letter.write(msgspec.msgpack.encode(letter))
        self.letter.flush()
        return 0

    def look(self) -> None:
        """See whether it has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status

    @property
    def is_ready(self) -> bool:
        """Whether all its connections have been tried, or it is no more."""
        return self.status is not None or self.row.words[STOOD] > 0

    def end(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.status is None:
            os.kill(self.pid, number)

    def result(self) -> RunResult:
        """What it has come to. Raises: CommandError, where it said why it could not."""
        if self.status == 0:
            self.letter.seek(0)
            letter = msgspec.msgpack.decode(self.letter.read(), type=EngineLetter)
            if letter.failure:
                raise command_error(letter.exit_code, letter.failure)
            return result_from(letter, self.row, self.options)
        return result_without(self.row, self.options, self._how_it_died())

    def _how_it_died(self) -> str:
        assert self.status is not None
        if os.WIFSIGNALED(self.status):
            return f"engine {self.number} died of {signal.Signals(os.WTERMSIG(self.status)).name}"
        return f"engine {self.number} ended with {os.WEXITSTATUS(self.status)}"


class Conductor:
    """The run of several engines."""

    def __init__(self, options: LoadOptions, engines: int, display: ProgressDisplay, clock: Clock) -> None:
        self.options = options
        self.display = display
        self.clock = clock
        self.board = SharedBoard()
        self.engines = [EngineProcess(n, options_of(options, n, engines)) for n in range(engines)]
        self.timeline = Timeline()
        self.is_interrupted = False
        self.ended_by = ""
        self._draw_us = 0

    def run(self, perform: PerformEngine) -> RunResult:
        """Run them all to their end. Raises: CommandError."""
        heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for engine in self.engines:
            engine.start(perform, self.board, len(self.engines))
        before = {number: signal.signal(number, self._stop) for number in heeded}
        try:
            while any(engine.status is None for engine in self.engines):
                self._look()
                time.sleep(LOOK_SECONDS)
        finally:
            for engine in self.engines:
                engine.end(signal.SIGKILL)
            self.display.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        last = self.timeline.end(self.clock(), self._counted())
        if last is not None:
            self.display.tell(last)
        whole = merged([engine.result() for engine in self.engines], self.options)
        return msgspec.structs.replace(
            whole, is_interrupted=self.is_interrupted or whole.is_interrupted, ended_by=self.ended_by
        )

    def _stop(self, *_: object) -> None:
        self.is_interrupted = True
        for engine in self.engines:
            engine.end(signal.SIGTERM)

    def _look(self) -> None:
        now_us = self.clock()
        for engine in self.engines:
            engine.look()
        if not self.board.words[BEGIN_US]:
            if all(engine.is_ready for engine in self.engines):
                self._begin(now_us)
        elif now_us >= self._draw_us:
            self._draw_us = now_us + DRAW_US
            self._draw(now_us)

    def _begin(self, now_us: int) -> None:
        """All are ready: the clock starts soon."""
        most = max(engine.options.connections for engine in self.engines)
        begin_us = now_us + LEAD_US + LEAD_US_EACH * most
        start_us = begin_us + self.options.warm_up_us
        self.timeline = Timeline(start_us)
        self.board.words[BEGIN_US] = begin_us

    def _draw(self, now_us: int) -> None:
        """Show where the run is; end it where a threshold cannot be met any more."""
        is_edge = now_us >= self.timeline.edge_us
        if not (is_edge or self.display.is_drawn):
            return
        tally = self._counted()
        self.display.draw(tally, self.timeline.start_us, self.options, now_us)
        interval = self.timeline.cut(now_us, tally)
        if interval is None:
            return
        self.display.tell(interval)
        missed = missed_for_good(self.options.thresholds, tally, self._due_at_end())
        if missed is not None and not self.ended_by:
            self.ended_by = missed.text
            self.board.words[END] = 1

    def _counted(self) -> Tally:
        """What all engines have counted by now."""
        tally = Tally()
        for engine in self.engines:
            tally.merge(engine.row.copied())
        return tally

    def _due_at_end(self) -> int | None:
        """How many requests of all engines will have been due, where that is known before."""
        options = self.options
        if not options.rate:
            return None
        arrivals = arrivals_of(options.process, options.rate, options.seed, course_of(options))
        shape = Shape(0, self.engines[0].options.duration_us, options.requests_max, arrivals)
        return due_total(shape, shape.end_us)
