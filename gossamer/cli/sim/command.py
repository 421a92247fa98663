"""gossamer sim: from options to a simulated run and its report.

Owns the options and how the command ends. Standard output holds what the run did, in virtual time, and is the
same for the same options; what depends on this machine goes to standard error.
"""

import sys
import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from gossamer.cli.sim import options as value
from gossamer.cli.sim import sequence
from gossamer.cli.sim.plot import check_plot, plot, title_of
from gossamer.cli.sim.printing import report_lines
from gossamer.cli.sim.seeds import SEEDS_MAX, seeds_lines, summed_up
from gossamer.cli.sim.speed import speed_lines
from gossamer.core.records import replace
from gossamer.core.sim.golden import BUFFERS_BYTES, LOSSES, lines, table
from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import FLOWS_MAX, Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.congestion.own import CongestionControlError
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.shards.exitcode import CommandError, ConfigError, ExitCode

PROGRESS_EVERY_S: Final = 0.5

EPILOG: Final = """\b
Examples:
  gossamer sim --seed 1 --rate 10mbit --delay 50ms --queue 64KiB --loss 1%
  gossamer sim --flows 2 --congestion newreno,cubic --duration 60s --bytes 1GiB --plot two.png
  gossamer sim --burst 0.5%:25% --json
  gossamer sim --loss 2% --seeds 100
  gossamer sim --golden

\b
Exit codes:
  0  every transfer was complete (with --duration: none had failed), and no oracle found anything
  1  a transfer failed or never ended, or an oracle found a breach
  2  a wrong option
  3  --plot or --sequence without matplotlib
"""


class OracleFoundError(CommandError):
    """A step did what no TCP may, or an algorithm what its interface does not allow."""


class Progress:
    """A line on standard error while somebody watches it."""

    def __init__(self) -> None:
        self._shown_s = time.monotonic()
        self._is_shown = False

    def __call__(self, virtual_us: int, segments: int) -> None:
        """Say how far a run is."""
        self._show(f"{virtual_us / 1e6:10.2f} s virtual, {segments:,} segments")

    def cells(self, done: int) -> None:
        """Say how far the golden table is."""
        self._show(f"{done} of {len(BUFFERS_BYTES) * len(LOSSES)} cells")

    def _show(self, text: str) -> None:
        """Now and then."""
        now_s = time.monotonic()
        if sys.stderr.isatty() and now_s - self._shown_s >= PROGRESS_EVERY_S:
            self._shown_s, self._is_shown = now_s, True
            click.echo(f"\r{text}", nl=False, err=True)

    def close(self) -> None:
        """Clear the line."""
        if self._is_shown:
            click.echo("\r" + " " * 60 + "\r", nl=False, err=True)


def run(simulation: Simulation, says_speed: bool = True) -> SimulationReport:
    """Run it, and say on standard error how fast that was.

    Raises: OracleFoundError.
    """
    scenario, progress = simulation.scenario, Progress()
    simulation.progress = progress
    begin_s = time.process_time()
    try:
        report = simulation.run()
    except AssertionError as error:
        raise OracleFoundError(
            f"at {simulation.agenda.now_us / 1e6 - 1:.6f} s an oracle found: {error}; "
            f"the same options repeat it (seed {scenario.seed})"
        ) from error
    except CongestionControlError as error:
        raise OracleFoundError(f"{error} (seed {scenario.seed})") from error
    finally:
        progress.close()
    cpu_s = max(time.process_time() - begin_s, 1e-9)
    if says_speed:
        click.echo(f"{cpu_s:.2f} s of CPU, {report.segments / cpu_s:,.0f} segments/s", err=True)
    return report


@click.command(epilog=EPILOG)
@click.option("--seed", type=click.IntRange(0, 1 << 32), default=1, show_default=True, help="Of all chance.")
@click.option(
    "--seeds",
    type=click.IntRange(1, SEEDS_MAX),
    default=1,
    show_default=True,
    help="Runs, of this seed and those after it: means and their spread.",
)
@click.option(
    "--rate", "rate_bps", type=value.RATE, default="10mbit", show_default=True, help="Of the bottleneck."
)
@click.option(
    "--delay",
    "delay_us",
    type=value.DELAY,
    default="50ms",
    show_default=True,
    help="One way: half a round trip.",
)
@click.option(
    "--delay-step",
    "delay_step_us",
    type=value.DELAY,
    default="0",
    help="So much more, one way, for each flow after the first.",
)
@click.option(
    "--queue",
    "queue_bytes",
    type=value.QUEUE,
    default=0,
    help="Drop-tail, before the bottleneck.  [one bandwidth-delay product]",
)
@click.option("--loss", type=value.LOSS, default="0", help="Of the data segments, each by itself.")
@click.option(
    "--burst", "bursts", type=value.BURST, multiple=True, help="Gilbert-Elliott: how bursts begin and end."
)
@click.option(
    "--drop",
    "drops",
    type=value.DROP,
    multiple=True,
    help="Exactly these of the segments sent by the clients, the SYN being 0.",
)
@click.option("--ack-loss", type=value.LOSS, default="0", help="Of the pure ACKs on the way back.")
@click.option(
    "--blackout", "blackouts", type=value.INTERVAL, multiple=True, help="Nothing passes, either way."
)
@click.option("--duplicate", type=value.SHARE, default="0", help="Of the data segments.")
@click.option("--reorder", type=value.SHARE, default="0", help="Of the data segments: held back by 20 ms.")
@click.option("--jitter", "jitter_us", type=value.DELAY, default="0", help="Up to so much more delay each.")
@click.option("--corrupt", type=value.SHARE, default="0", help="Of the data segments: a wrong bit.")
@click.option("--mtu", "mtu_bytes", type=value.MTU, default=1500, show_default=True, help="Of the ends.")
@click.option(
    "--mtu-change",
    "mtu_changes",
    type=value.MTU_CHANGE,
    multiple=True,
    help="What passes from then.",
)
@click.option("--icmp/--no-icmp", default=True, show_default=True, help="Routers report what is too big.")
@click.option(
    "--bytes", "transfer_bytes", type=value.TRANSFER, default="1MiB", show_default=True, help="Of each flow."
)
@click.option(
    "--duration",
    "duration_us",
    type=value.MOMENT,
    default="0",
    help="End after this virtual time at the latest.  [when all is delivered]",
)
@click.option("--flows", type=click.IntRange(1, FLOWS_MAX), default=1, show_default=True)
@click.option(
    "--stagger", "stagger_us", type=value.MOMENT, default="0", help="Each flow begins so much after the last."
)
@click.option(
    "--congestion",
    callback=value.read_congestion,
    default=DEFAULT_PARAMETERS.congestion,
    show_default=True,
    help="Congestion control; several, with commas, go to the flows in turn.",
)
@click.option(
    "--buffer",
    "buffer_bytes",
    type=value.BUFFER,
    default=0,
    help="For receiving; for sending, twice that.  [enough for the path]",
)
@click.option(
    "--mark",
    "mark_bytes",
    type=value.BUFFER,
    default=0,
    help="Use ECN, and mark segments while more than this waits.  [no ECN]",
)
@click.option("--sack/--no-sack", default=True, show_default=True, help="RFC 2018.")
@click.option("--timestamps/--no-timestamps", default=True, show_default=True, help="RFC 7323.")
@click.option(
    "--oracle/--no-oracle",
    "watches",
    default=True,
    show_default=True,
    help="Hold every step to the RFC's invariants, and repeat some from the decoded connection.",
)
@click.option(
    "--plot",
    "plot_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw goodput, cwnd and queue to this .png or .svg (needs the extra `plots`).",
)
@click.option(
    "--sequence",
    "sequence_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the time-sequence graph of the first flow to this .png or .svg (likewise).",
)
@click.option(
    "--golden", is_flag=True, help="Print the golden table of goodput over buffer and loss, beside theory."
)
@click.option("--speed", is_flag=True, help="Only say how many segments a second this machine simulates.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sim(
    watches: bool,
    as_json: bool,
    golden: bool,
    speed: bool,
    plot_path: Path | None,
    sequence_path: Path | None,
    seeds: int,
    **options: Any,
) -> int:
    """Run whole connections in virtual time over a simulated bottleneck.

    The functional TCP is the one that serves; the wire, its faults and the clock are simulated from one seed.
    """
    if speed:
        for line in speed_lines():
            click.echo(line, err=True)
        return ExitCode.OK
    if golden:
        return _golden(options["congestion"])
    pictures = {"--plot": plot_path, "--sequence": sequence_path}
    asked = {option: path for option, path in pictures.items() if path is not None}
    if seeds > 1 and asked:
        raise ConfigError(f"{min(asked)}: found --seeds too; a picture is of one run: name its --seed alone")
    pyplots = [check_plot(path, option) for option, path in asked.items()]
    models = (*options.pop("bursts"), *options.pop("drops"))
    scenario = Scenario(**options, models=models)
    if seeds > 1:
        return _seeds(scenario, seeds, watches, as_json)
    simulation = Simulation(scenario, watches)
    seen = sequence.Sequence(simulation.observer)
    if sequence_path:
        simulation.observer = seen
    report = run(simulation)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        for line in report_lines(scenario, report):
            click.echo(line)
    if plot_path:
        plot(pyplots[0], plot_path, scenario, report)
    if sequence_path:
        sequence.draw(pyplots[0], sequence_path, seen.points, title_of(scenario, report))
    return _exit_code(scenario, report)


def _seeds(scenario: Scenario, seeds: int, watches: bool, as_json: bool) -> int:
    """One run after another. Raises: OracleFoundError."""
    runs = [
        run(Simulation(replace(scenario, seed=scenario.seed + number), watches), says_speed=False)
        for number in range(seeds)
    ]
    found = summed_up(runs)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for line in seeds_lines(scenario, found):
            click.echo(line)
    return max(_exit_code(scenario, report) for report in runs)


def _golden(congestion: tuple[str, ...]) -> int:
    """The table of each of the algorithms."""
    for name in congestion:
        progress = Progress()
        cells = table(name, progress.cells)
        progress.close()
        for line in lines(cells, name):
            click.echo(line)
    return ExitCode.OK


def _exit_code(scenario: Scenario, report: SimulationReport) -> int:
    failed = any(flow.failure for flow in report.flows)
    is_good = report.has_finished or (scenario.duration_us > 0 and not failed)
    return ExitCode.OK if is_good else ExitCode.FAILED
