"""What an engine process knows of the others: which number it has, when to begin and when to end.

Owns how an engine reads the conductor's board and writes its row.
"""

import os

from gossamer.core.threads.calls import sys_sleep
from gossamer.loadtest.engines.shared import BEGIN_US, END, STOOD, EngineRow, SharedBoard
from gossamer.loadtest.seat import Seat, SeatedRun
from gossamer.loadtest.tally import Tally

LOOK_US = 1_000


class EngineSeat(Seat):
    """The seat of engine `number` of several."""

    def __init__(self, number: int, engines: int, board: SharedBoard, row: EngineRow) -> None:
        super().__init__(number, engines)
        self.board, self.row = board, row
        self.conductor = os.getppid()

    def tally(self) -> Tally:
        """One in the memory that the conductor reads."""
        return self.row.tally()

    async def begin_us(self, run: SeatedRun) -> int:
        """Say that all connections have been tried, and wait for the instant at which all engines begin."""
        self.row.words[STOOD] = run.stood + 1
        while not self.board.words[BEGIN_US]:
            await sys_sleep(LOOK_US)
            self.look(run)
        begin_us: int = self.board.words[BEGIN_US]
        return begin_us

    def look(self, run: SeatedRun) -> None:
        """Publish what was counted; end where the conductor says so, or is no more."""
        self.row.publish(run.tally)
        if os.getppid() != self.conductor:
            run.is_stopped = run.is_interrupted = True
        elif self.board.words[END] and not run.ended_by:
            run.ended_by = "the conductor's"
            run.end_at(run.clock())
