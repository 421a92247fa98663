"""What is to be simulated, as one record: flows through one bottleneck, and all that goes wrong on the way.

Owns the knobs, their bounds, and what follows from them: sizes that were left open, the settings of the ends.
It runs nothing.
"""

from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.seq import MASK, Seq
from gossamer.core.sim.agenda import START_US
from gossamer.core.sim.end import User
from gossamer.core.sim.flow import HEADERS_BYTES, TIMESTAMPS_BYTES, EndSetting
from gossamer.core.sim.link import NEVER_BYTES, Faults, Line
from gossamer.core.sim.loss import AckLoss, Blackout, BurstLoss, LossModel
from gossamer.core.sim.octets import Pattern
from gossamer.core.sim.theory import bandwidth_delay_bytes
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters

FLOWS_MAX: Final = 100
BUFFER_BYTES_MIN: Final = 1 << 16
BUFFER_BYTES_MAX: Final = 1 << 29
QUEUE_BYTES_MIN: Final = 1 << 14
WRITE_BYTES_MAX: Final = 1 << 18
RUN_US_MAX: Final = 24 * 3600 * SECOND_US
"""A run whose transfers never complete is ended after this virtual time."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times of what happens count from its begin."""

    seed: int = 1
    flows: int = 1
    congestion: tuple[str, ...] = (DEFAULT_PARAMETERS.congestion,)
    """One for all flows, or one after the other in turn."""
    transfer_bytes: int = 1 << 20
    """Octets of each flow."""
    duration_us: int = 0
    """End after this time at the latest, though transfers are not complete; 0: when all is done."""
    rate_bps: int = 10_000_000
    """Of the bottleneck; 0: no bound. The way back is as fast."""
    delay_us: int = 50_000
    """One way; the round trip is twice this, and the queue."""
    delay_step_us: int = 0
    """Each flow has so much more delay, one way, than the one before it."""
    queue_bytes: int = 0
    """Before the bottleneck; 0: one bandwidth-delay product."""
    buffer_bytes: int = 0
    """For receiving; 0: enough never to be what limits. For sending there is twice as much, since a writer
    goes on only when half of it is free."""
    stagger_us: int = 0
    """Each flow begins so much later than the one before it."""
    loss: float = 0.0
    models: tuple[LossModel, ...] = ()
    """On the way there."""
    ack_loss: float = 0.0
    blackouts: tuple[tuple[int, int], ...] = ()
    """(from, until): nothing passes, either way."""
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_us: int = 20_000
    jitter_us: int = 0
    corrupt: float = 0.0
    mtu_bytes: int = 1500
    """What the ends think; segments are made for it."""
    mtu_changes: tuple[tuple[int, int], ...] = ()
    """(from when, bytes): what passes the bottleneck."""
    mark_bytes: int = 0
    """When more than this waits the bottleneck marks what is ECN-capable, and the ends ask for ECN; 0: no
    ECN."""
    icmp: bool = True
    """Whether the sender hears of what was too big."""
    sack: bool = True
    timestamps: bool = True
    delayed_ack_us: int = 40_000
    retries: int = 15
    """Retransmissions before an end gives up (R2)."""
    syn_retries: int = 6
    """The same of a SYN."""
    write_bytes: int = 0
    """Octets of one SEND; 0: a quarter of the buffer."""

    @property
    def rtt_us(self) -> int:
        """Without what waits in the queue; never 0, since rates are counted by it."""
        return max(2 * self.delay_us, 1)

    @property
    def queue(self) -> int:
        """Bytes of the queue."""
        return self.queue_bytes or max(self._product_bytes, QUEUE_BYTES_MIN)

    @property
    def buffer(self) -> int:
        """Bytes of the buffers."""
        if self.buffer_bytes:
            return self.buffer_bytes
        if not self.rate_bps:
            return 1 << 20
        enough = 4 * (self._product_bytes + self.queue)
        return min(max(enough, BUFFER_BYTES_MIN), BUFFER_BYTES_MAX)

    @property
    def smss(self) -> int:
        """Payload of a full-sized segment."""
        return self.mtu_bytes - self.headers_bytes

    @property
    def headers_bytes(self) -> int:
        """What stands before the payload."""
        return HEADERS_BYTES + (TIMESTAMPS_BYTES if self.timestamps else 0)

    @property
    def mean_loss(self) -> float:
        """The part of the data segments that is lost by chance."""
        kept = 1 - self.loss
        for model in self.models:
            kept *= 1 - (model.mean if isinstance(model, BurstLoss) else 0.0)
        return 1 - kept * (1 - self.corrupt)

    @property
    def _product_bytes(self) -> int:
        return int(bandwidth_delay_bytes(self.rate_bps, self.rtt_us))

    def algorithm(self, number: int) -> str:
        """The congestion control of a flow."""
        return self.congestion[number % len(self.congestion)]

    def settings(self, number: int, octets: Pattern) -> tuple[EndSetting, EndSetting]:
        """The two ends of a flow: the client sends, the server closes after it."""
        parameters = TcpParameters(
            congestion=self.algorithm(number),
            receive_buffer_bytes=self.buffer,
            send_buffer_bytes=2 * self.buffer,
            ecn="on" if self.mark_bytes else "off",
            sack=self.sack,
            timestamps=self.timestamps,
            delayed_ack_us=self.delayed_ack_us,
            retries=self.retries,
            syn_retries=self.syn_retries,
        )
        write_bytes = self.write_bytes or min(max(self.buffer // 4, 1), WRITE_BYTES_MAX)
        sender = User(sends=octets, write_bytes=write_bytes, expects=b"")
        receiver = User(read_bytes=1 << 30, expects=octets, waits=True)
        iss = Seq((self.seed * 2_654_435_761 + number * 0x9E37_79B9) & MASK)
        mss = self.mtu_bytes - HEADERS_BYTES
        return (
            EndSetting(sender, parameters, iss, ts_offset=iss, mss=mss),
            EndSetting(receiver, parameters, Seq(iss ^ 0x5555_5555), ts_offset=7, mss=mss),
        )

    def forward(self) -> tuple[Faults, Line]:
        """The way of the data."""
        faults = Faults(
            loss=self.loss,
            duplicate=self.duplicate,
            reorder=self.reorder,
            reorder_us=self.reorder_us,
            delay_us=self.delay_us,
            jitter_us=self.jitter_us,
            corrupt=self.corrupt,
            models=self.models + self._blackouts(),
        )
        changes = tuple((START_US + from_us, size_bytes) for from_us, size_bytes in self.mtu_changes)
        mark_bytes = self.mark_bytes or NEVER_BYTES
        return faults, Line(self.rate_bps, self.queue, changes, mark_bytes, self.icmp)

    def backward(self) -> tuple[Faults, Line]:
        """The way of the ACKs."""
        models: tuple[LossModel, ...] = (AckLoss(self.ack_loss),) if self.ack_loss else ()
        faults = Faults(delay_us=self.delay_us, models=models + self._blackouts())
        return faults, Line(self.rate_bps, self.queue, (), self.mark_bytes or NEVER_BYTES)

    def _blackouts(self) -> tuple[LossModel, ...]:
        return tuple(
            Blackout(START_US + from_us, START_US + until_us) for from_us, until_us in self.blackouts
        )
