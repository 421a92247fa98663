"""How many segments a second pass through the TCP alone, both ends of it, in the simulator.

    gossamer bench simulator

Owns the runs that are timed: a bulk transfer, data one way and an ACK for two segments the other, without the
oracles, at several rates of loss. No kernel, no packet, no thread takes part, so this is what `step` and the
wire cost; CPU time of one core.
"""

import time
from typing import Final

import msgspec

from gossamer.core.sim.end import Stepper
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.step import step
from gossamer.loadtest.experiments.experiment import Axes, Column, Result, Values
from gossamer.loadtest.experiments.rounds import Key, Pace, interleaved, points_of

TIMED: Final = Scenario(
    congestion=("newreno",),
    transfer_bytes=30 << 20,
    rate_bps=100_000_000,
    delay_us=10_000,
    buffer_bytes=400_000,
)
"""A bulk transfer without loss."""
LOSSY_BYTES: Final = 10 << 20
LOSSES: Final = (0.0, 0.001, 0.005, 0.01, 0.03)
SEGMENTS: Final = "segments/s"
SERIES: Final = "newreno, 100 Mbit/s, 20 ms"
AXES: Final = Axes(
    "Segments through the TCP in the simulator",
    "% lost",
    (Column(SEGMENTS, "segments a CPU second", more_is_better=True),),
    is_log_x=False,
)


def lossy(loss: float) -> Scenario:
    """The same with losses, and shorter: recovery takes its time."""
    return msgspec.structs.replace(TIMED, transfer_bytes=LOSSY_BYTES, loss=loss) if loss else TIMED


def timed(scenario: Scenario, watches: bool = False, stepper: Stepper = step) -> tuple[float, int]:
    """CPU seconds of a run, and how many segments there were."""
    run = Simulation(scenario, watches)
    run.stepper = stepper
    begin_s = time.process_time()
    report = run.run()
    return time.process_time() - begin_s, report.segments


def run(pace: Pace) -> Result:
    """Every rate of loss. Raises: MeasurementFailed."""
    losses = {loss * 100: loss for loss in LOSSES}

    def take(key: Key) -> Values:
        spent_s, segments = timed(lossy(losses[float(key[1] or 0)]))
        return {SEGMENTS: round(segments / spent_s)}

    points = points_of(interleaved(pace, [(SERIES, percent) for percent in losses], take))
    without_loss = points[0].figures[SEGMENTS].median
    return Result("simulator", AXES, points, [], pace.notes, {"segments_per_second": without_loss})
