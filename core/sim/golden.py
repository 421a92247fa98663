"""The golden table: goodput over buffer sizes and loss rates on a path of 100 ms, beside what theory allows.

Owns the axes, how a cell is computed, and the text in which the table is kept: `gossamer sim --golden` prints
it, and `tests/core/sim/golden.txt` holds it, so that a change of the TCP that moves a figure shows there.

Source: the idea of smoltcp's table of throughput by buffer and loss.
"""

from collections.abc import Callable, Iterator
from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.sim.theory import loss_bps, window_bps

BUFFERS_BYTES: Final = (128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768)
LOSSES: Final = (0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
SEED: Final = 1
DURATION_US: Final = 120 * SECOND_US
DELAY_US: Final = 50_000

Table = dict[tuple[int, float], tuple[float, float]]
"""(buffer, loss): what was measured, and what theory allows; bytes a second."""


def scenario(buffer_bytes: int, loss: float, congestion: str) -> Scenario:
    """The run of one cell."""
    return Scenario(
        seed=SEED,
        congestion=(congestion,),
        transfer_bytes=1 << 40,
        duration_us=DURATION_US,
        rate_bps=0,
        delay_us=DELAY_US,
        buffer_bytes=buffer_bytes,
        loss=loss,
    )


def measured(buffer_bytes: int, loss: float, congestion: str) -> float:
    """Goodput of a cell, in bytes a second."""
    report = Simulation(scenario(buffer_bytes, loss, congestion)).run()
    return round(report.goodput_bps / 8, 1)


def allowed(buffer_bytes: int, loss: float, congestion: str) -> float:
    """The bound of theory: a window a round trip, less what is lost of it; or the algorithm's own model of
    random loss.

    A window of less than two segments is acknowledged by the receiver's timer, which makes the round trip so
    much longer; and a segment is never longer than the window.
    """
    run = scenario(buffer_bytes, loss, congestion)
    rtt_us, mss = run.rtt_us, min(run.smss, buffer_bytes)
    if buffer_bytes < 2 * run.smss:
        rtt_us += run.delayed_ack_us
    by_window = window_bps(buffer_bytes, rtt_us) * (1 - loss)
    return round(min(by_window, loss_bps(congestion, mss, rtt_us, loss, 0)) / 8, 1)


def table(congestion: str, progress: Callable[[int], None]) -> Table:
    """Every cell; `progress` is called with how many there are already."""
    cells: Table = {}
    for buffer_bytes in BUFFERS_BYTES:
        for loss in LOSSES:
            progress(len(cells))
            pair = measured(buffer_bytes, loss, congestion), allowed(buffer_bytes, loss, congestion)
            cells[buffer_bytes, loss] = pair
    return cells


def lines(cells: Table, congestion: str) -> Iterator[str]:
    """The table as text."""
    yield f"Goodput in bytes/s of one {congestion} flow over buffer size (rows) and random loss (columns)."
    yield f"RTT {2 * DELAY_US // 1000} ms, {DURATION_US // SECOND_US} s of virtual time, seed {SEED}."
    blocks = {
        "measured": {place: f"{found:.1f}" for place, (found, _) in cells.items()},
        "theory": {place: f"{bound:.1f}" for place, (_, bound) in cells.items()},
        "measured / theory": {place: f"{found / bound:.2f}" for place, (found, bound) in cells.items()},
    }
    for title, block in blocks.items():
        yield ""
        yield title
        yield f"{'buffer':>8}" + "".join(f"{'loss ' + format(loss, 'g'):>12}" for loss in LOSSES)
        for buffer_bytes in BUFFERS_BYTES:
            yield f"{buffer_bytes:>8}" + "".join(f"{block[buffer_bytes, loss]:>12}" for loss in LOSSES)


def parsed(text: str) -> dict[tuple[int, float], float]:
    """The measured cells of a table that was kept as text."""
    rows = text.split("measured\n")[1].splitlines()[1 : 1 + len(BUFFERS_BYTES)]
    return {
        (int(row.split()[0]), loss): float(cell)
        for row in rows
        for loss, cell in zip(LOSSES, row.split()[1:], strict=True)
    }
