"""Extents of files in the send buffer: what leaves is, octet for octet, what leaves of bytes."""

from collections import Counter
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.records import replace
from gossamer.core.seq import MASK, Seq
from gossamer.core.sim import states
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import Event, Send
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX
from gossamer.core.wire.segment import Segment
from gossamer.core.wire.text import Extent, TextInParts

OCTETS = b"".join(number.to_bytes(4, "big") for number in range(75_000))
GAP_BYTES = 10
"""Between the places of two chunks in the one file, so that no two of them are one stretch."""


class InFiles:
    """An observer that takes every step of an end a second time, with all or every other of the chunks that
    it has to send in a file, and encoded in between."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.file = bytearray()
        self.places: dict[bytes, int] = {}
        self.seen: Counter[str] = Counter()

    def extent(self, data: bytes) -> Extent:
        """Where in the file it stands; written there the first time."""
        if data not in self.places:
            self.places[data] = len(self.file)
            self.file += data + bytes(GAP_BYTES)
        return Extent(1, self.places[data], len(data))

    def read(self, extent: Extent) -> bytes:
        return bytes(self.file[extent.offset : extent.offset + extent.length])

    def in_file(self, chunk: Any, number: int) -> Any:
        return self.extent(chunk) if number % self.every == 0 else chunk

    def __call__(self, before: Any, event: Event, after: Any, actions: Actions) -> None:
        if not isinstance(before, Tcb) or not isinstance(after, Tcb):
            return
        chunks = tuple(self.in_file(chunk, number) for number, chunk in enumerate(before.snd_buf))
        changed = replace(before, snd_buf=chunks)
        again, emitted = step(decode(encode(changed)), event)
        assert step(changed, event) == (again, emitted)
        assert tuple(map(self.resolved, emitted)) == tuple(map(self.with_octets, actions))
        assert isinstance(again, Tcb)
        assert self.octets(again) == self.octets(after)
        assert replace(again, snd_buf=(), snd_buf_offset=0) == replace(after, snd_buf=(), snd_buf_offset=0)
        if isinstance(event, Send):
            self.check_send(before, event, after, actions)

    def check_send(self, before: Tcb, event: Send, after: Tcb, actions: Actions) -> None:
        """The same SEND of a part of a file."""
        assert isinstance(event.data, bytes)
        if before.snd_buf_bytes + len(event.data) <= before.agreed.parameters.send_buffer_bytes:
            again, emitted = step(before, replace(event, data=self.extent(event.data)))
            assert tuple(map(self.resolved, emitted)) == tuple(map(self.with_octets, actions))
            assert isinstance(again, Tcb)
            assert self.octets(again) == self.octets(after)
            self.seen["sends"] += 1

    def octets(self, tcb: Tcb) -> bytes:
        """All that a connection has to send."""
        chunks = [self.read(chunk) if isinstance(chunk, Extent) else chunk for chunk in tcb.snd_buf]
        return b"".join(chunks)[tcb.snd_buf_offset :]

    def resolved(self, action: Any) -> Any:
        """A segment with the octets of its text."""
        if not isinstance(action, Segment) or not isinstance(action.payload, TextInParts):
            return action
        self.seen["of files" if action.payload.has_extent else "in memory"] += 1
        return replace(action, payload=action.payload.resolved(self.read))

    def with_octets(self, action: Any) -> Any:
        is_text = isinstance(action, Segment) and isinstance(action.payload, TextInParts)
        return replace(action, payload=bytes(action.payload)) if is_text else action


FAULTS = {
    "perfect": Faults(),
    "lossy": Faults(loss=0.04, duplicate=0.02, reorder=0.05, jitter_us=2_000),
    "far": Faults(delay_us=40_000, loss=0.004),
}
PARAMETERS = {
    "super-segments": TcpParameters(super_segment_bytes=SUPER_SEGMENT_BYTES_MAX),
    "tight": TcpParameters(receive_buffer_bytes=9_000, send_buffer_bytes=20_000, nodelay=False),
    "paced": TcpParameters(pacing="on", congestion="bbr", super_segment_bytes=20_000),
    "probing": TcpParameters(mtu_probing="on", congestion="newreno"),
    "plain": TcpParameters(timestamps=False, sack=False, window_scaling=False),
}


@pytest.mark.parametrize(("seed", "every"), [(3, 1), (4, 2)])
@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS.keys())
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_whole_transfers__every_step__is_the_same_of_files(
    faults: Faults, parameters: TcpParameters, seed: int, every: int
) -> None:
    comparison = InFiles(every)
    user = User(sends=OCTETS, write_bytes=15_001)
    client = EndSetting(user, parameters, iss=Seq(MASK - 9_000), faults=faults)
    pair = Pair(client, EndSetting(user, parameters, faults=faults), seed, comparison)
    pair.run(pair.now_us + 2 * SECOND_US)
    assert comparison.seen["of files"] > 10, comparison.seen
    assert comparison.seen["sends"], comparison.seen


def test_client_that_reads_nothing__holds_a_few_octets() -> None:
    """What megabytes to send add to a connection."""
    before = states.established()
    tcb, _ = step(before, Send(Extent(1, 0, 4 << 20), states.NOW_US))
    assert isinstance(tcb, Tcb)
    assert tcb.snd_buf_bytes == 4 << 20
    assert len(encode(tcb)) - len(encode(before)) < 60
