"""Runs a scenario: n flows through one bottleneck, watched by the oracle.

    client 0 --+                                        +-- server 0
    client 1 --+-- queue -- line -- faults -- (delay) --+-- server 1
    ...        +----- (delay) ---- line -- queue -------+   ...

Owns the topology, the start of each flow, the samples, and what must hold when the run is over. Everything
that a run does follows from its scenario: same scenario, same report.
"""

from collections.abc import Callable
from math import inf

from gossamer.core.sim import oracle
from gossamer.core.sim.agenda import START_US, Agenda
from gossamer.core.sim.end import Observer, Stepper
from gossamer.core.sim.flow import SimulatedFlow
from gossamer.core.sim.link import Link
from gossamer.core.sim.measure import Meter, link_report
from gossamer.core.sim.migration import Migration
from gossamer.core.sim.octets import Pattern
from gossamer.core.sim.report import SimulationReport, TheoryBounds
from gossamer.core.sim.scenario import RUN_US_MAX, Scenario
from gossamer.core.sim.theory import jain, loss_bps, payload_share, pftk_bps, window_bps
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.core.tcp.step import Connection, step

EVENTS_MAX = 200_000_000
SAMPLE_US_MIN = 10_000

Progress = Callable[[int, int], None]
"""Called with (virtual time, segments so far) at each sample."""


class Watch:
    """The observer of a run: the oracle at every step, migration at some."""

    def __init__(self, seed: int) -> None:
        self.steps_total = 0
        self.migration = Migration(seed)

    def __call__(self, before: Connection, event: Event, after: Connection | None, actions: Actions) -> None:
        """Assert what must hold of a step."""
        self.steps_total += 1
        oracle.check(before, event, after, actions)
        self.migration(before, event, after, actions)


class Simulation:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, watches: bool = True) -> None:
        self.scenario = scenario
        self.agenda = Agenda(EVENTS_MAX)
        self.forward = Link(scenario.forward()[0], scenario.seed * 2, scenario.forward()[1])
        self.backward = Link(scenario.backward()[0], scenario.seed * 2 + 1, scenario.backward()[1])
        self.meters: list[Meter] = []
        self._watch = Watch(scenario.seed) if watches else None
        self.observer: Observer | None = self._watch
        self.stepper: Stepper = step
        self.progress: Progress | None = None
        self._octets = Pattern(scenario.transfer_bytes, scenario.seed)
        self._limit_us = START_US + (scenario.duration_us or RUN_US_MAX)
        self._interval_us = max(scenario.rtt_us // 2, SAMPLE_US_MIN)
        for number in range(scenario.flows):
            self.agenda.at(START_US + number * scenario.stagger_us, self._begin, number)
        self.agenda.at(START_US, self._sample, None)

    def run(self) -> SimulationReport:
        """Let it happen.

        Raises: AssertionError when an oracle finds a breach.
        """
        self.agenda.run(self._limit_us)
        return self._report()

    @property
    def segments_total(self) -> int:
        """Put on the wire, both ways."""
        return self.forward.counts.sent + self.backward.counts.sent

    def _begin(self, number: int) -> None:
        scenario = self.scenario
        client, server = scenario.settings(number, self._octets)
        flow = SimulatedFlow(
            self.agenda,
            client,
            server,
            (self.forward, self.backward),
            self.observer,
            extra_us=number * scenario.delay_step_us,
            stepper=self.stepper,
        )
        self.meters.append(Meter(flow, number, scenario.algorithm(number), self.agenda.now_us))

    def _sample(self, _nothing: None) -> None:
        """Look at every flow; end the run when nothing is left to happen."""
        now_us, meters = self.agenda.now_us, self.meters
        waiting_bytes, counts = self.forward.waiting_bytes(now_us), self.forward.counts
        for meter in meters:
            meter.sample(now_us, waiting_bytes, counts.lost + counts.overflowed, counts.marked)
        if any(meter.is_full for meter in meters):
            self._interval_us *= 2
            for meter in meters:
                meter.thin()
        if self.progress is not None:
            self.progress(now_us - START_US, self.segments_total)
        if self._is_over():
            self.agenda.stop()
        else:
            self.agenda.at(now_us + self._interval_us, self._sample, None)

    def _is_over(self) -> bool:
        return len(self.meters) == self.scenario.flows and all(meter.flow.is_over for meter in self.meters)

    def _report(self) -> SimulationReport:
        scenario = self.scenario
        is_over = self._is_over()
        now_us = self.agenda.now_us if is_over else self._limit_us
        flows = [meter.report(now_us) for meter in self.meters]
        ended_us = max((flow.ended_us or 0 for flow in flows), default=0) if is_over else now_us - START_US
        goodput_bps = sum(flow.delivered_bytes for flow in flows) * 8e6 / max(ended_us, 1)
        share = payload_share(scenario.smss, scenario.headers_bytes)
        return SimulationReport(
            seed=scenario.seed,
            ended_us=ended_us,
            has_finished=is_over and all(meter.flow.is_complete for meter in self.meters),
            segments=self.segments_total,
            goodput_bps=round(goodput_bps, 1),
            utilisation=round(goodput_bps / (scenario.rate_bps * share), 4) if scenario.rate_bps else None,
            jain=round(jain([flow.steady_bps for flow in flows]), 4),
            steps_checked=self._watch.steps_total if self._watch else 0,
            migrations=self._watch.migration.checked_total if self._watch else 0,
            bounds=bounds(scenario),
            flows=flows,
            forward=link_report(self.forward),
            backward=link_report(self.backward),
        )


def bounds(scenario: Scenario) -> TheoryBounds:
    """What theory allows a single flow of the scenario; the first algorithm's, when there are several."""
    rtt_us, mss = scenario.rtt_us, scenario.smss
    path_bps = scenario.rate_bps * payload_share(mss, scenario.headers_bytes) if scenario.rate_bps else inf
    window = window_bps(scenario.buffer, rtt_us)
    loss = loss_bps(scenario.algorithm(0), mss, rtt_us, scenario.mean_loss, path_bps)
    if scenario.algorithm(0) == "newreno" and not scenario.sack:
        loss = pftk_bps(mss, rtt_us, scenario.mean_loss, max(DEFAULT_PARAMETERS.rto_min_us, rtt_us))
    return TheoryBounds(
        path_bps=_finite(path_bps),
        window_bps=round(window, 1),
        loss_bps=_finite(loss),
        least_bps=round(min(path_bps, window, loss), 1),
    )


def _finite(value: float) -> float | None:
    return None if value == inf else round(value, 1)
