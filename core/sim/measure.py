"""Takes the figures of a run: counts of the wire, samples of each flow, and what follows from them.

Owns when samples are taken and how many are kept. It only looks; nothing in a run depends on it.
"""

from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK
from gossamer.core.sim.agenda import START_US
from gossamer.core.sim.flow import SimulatedFlow
from gossamer.core.sim.link import Link
from gossamer.core.sim.report import FlowReport, FlowSample, LinkReport
from gossamer.core.tcp.tcb import Tcb

SAMPLES_MAX: Final = 400
"""Of a flow; when there are more, every other one goes, and they are taken half as often."""


class Meter:
    """What is measured of one flow."""

    def __init__(self, flow: SimulatedFlow, number: int, congestion: str, now_us: int) -> None:
        self.flow = flow
        self._number = number
        self._congestion = congestion
        self._started_us = now_us
        self._samples: list[FlowSample] = []

    def sample(self, now_us: int, queue_bytes: int, lost: int, marked: int) -> None:
        """Look at the flow."""
        flow = self.flow
        connection = flow.client.connection
        if not isinstance(connection, Tcb):
            return
        self._samples.append(
            FlowSample(
                now_us - START_US,
                connection.congestion.cwnd,
                (connection.snd_nxt - connection.snd_una) & MASK,
                connection.round_trip.srtt_us,
                flow.delivered_bytes,
                queue_bytes,
                flow.sent.retransmitted,
                flow.arrived_bytes,
                lost,
                marked,
            )
        )

    @property
    def is_full(self) -> bool:
        """Whether as many samples are held as may be."""
        return len(self._samples) >= SAMPLES_MAX

    def thin(self) -> None:
        """Let go of every other sample."""
        del self._samples[1::2]

    def report(self, ended_us: int) -> FlowReport:
        """The figures, when the run has ended at that time."""
        flow, samples = self.flow, self._samples
        arrived_us = flow.server.ended_at_us if flow.server is not None else NEVER_US
        is_complete = flow.is_complete and arrived_us != NEVER_US
        until_us = arrived_us if is_complete else ended_us
        seconds = max(until_us - self._started_us, 1) / 1e6
        srtts = [sample.srtt_us for sample in samples if sample.srtt_us] or [0]
        windows = [sample.cwnd_bytes for sample in samples] or [0]
        failure = flow.client.failure or (flow.server.failure if flow.server is not None else None)
        return FlowReport(
            number=self._number,
            congestion=self._congestion,
            started_us=self._started_us - START_US,
            ended_us=arrived_us - START_US if is_complete else None,
            failure=failure.value if failure else None,
            delivered_bytes=flow.delivered_bytes,
            goodput_bps=round(flow.delivered_bytes * 8 / seconds, 1),
            steady_bps=round(self._steady_bps(), 1),
            throughput_bps=round(flow.sent.payload_bytes * 8 / seconds, 1),
            segments_sent=flow.sent.segments,
            acks_sent=flow.sent_back.segments,
            retransmitted=flow.sent.retransmitted,
            retransmitted_bytes=flow.sent.retransmitted_bytes,
            timeouts=flow.client.timeouts_total,
            recoveries_us=list(flow.sent.recoveries_us),
            rtt_min_us=min(srtts),
            rtt_mean_us=sum(srtts) // len(srtts),
            rtt_max_us=max(srtts),
            cwnd_mean_bytes=sum(windows) // len(windows),
            cwnd_max_bytes=max(windows),
            samples=samples,
        )

    def _steady_bps(self) -> float:
        """The rate between the middle of the samples and the last."""
        if len(self._samples) < 2:
            return 0.0
        middle, last = self._samples[len(self._samples) // 2], self._samples[-1]
        if last.at_us <= middle.at_us:
            return 0.0
        return (last.arrived_bytes - middle.arrived_bytes) * 8e6 / (last.at_us - middle.at_us)


def link_report(link: Link) -> LinkReport:
    """The counts of one direction."""
    counts = msgspec.structs.asdict(link.counts)
    return LinkReport(segments=counts.pop("sent"), bytes=counts.pop("sent_bytes"), **counts)
