"""What a connection remembers for its congestion control, whichever that is.

Owns the record; what it says is the algorithm's (`core.tcp.congestion.control`).

Source: RFC 5681 2.
"""

from typing import Any

import msgspec

from gossamer.core.seq import Seq
from gossamer.core.tcp.constants import SSTHRESH_INITIAL


class Congestion(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a congestion control knows (`core.tcp.congestion`), in bytes. Source: RFC 5681 2."""

    cwnd: int
    ssthresh: int = SSTHRESH_INITIAL
    every_ack: bool = False
    """Whether the algorithm hears of every ACK, with a sample of the delivery rate, and alone says what cwnd
    is, in loss recovery too; else only of ACKs of new data while cwnd is what limits the sender."""
    pacing_rate: int = 0
    """Bytes a second at which segments leave; 0 when they leave as cwnd allows."""
    memory: Any = None
    """The algorithm's own record, a frozen Struct; None when it needs none."""
    peak_bytes: int = 0
    """The most that was in flight in the last round trip; 0 once all is acknowledged."""
    peak_to: Seq = Seq(0)
    """SND.NXT when it was: an ACK from there on belongs to the next round trip."""
