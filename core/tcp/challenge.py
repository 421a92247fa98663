"""Answers to segments that should not have come: an ACK that shows the peer where we are, at a bounded rate.

The limit is per connection and never shared: a global one is a side channel (CVE-2016-5696).

Source: RFC 5961 3, 4, 5, 7; RFC 9293 3.10.7.4, first.
"""

import msgspec

from gossamer.core.tcp.actions import Actions, Dropped
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.output import acknowledgment, due_acknowledgment
from gossamer.core.tcp.tcb import Tcb


def challenge(tcb: Tcb, now_us: int, reason: SegmentDrop, *, is_due: bool = False) -> tuple[Tcb, Actions]:
    """Drop a segment for `reason` and, unless one went out just now, answer
    <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; `is_due` where the answer challenges nobody."""
    last_us = tcb.challenge_at_us
    if last_us and now_us - last_us < tcb.agreed.parameters.challenge_interval_us:
        return tcb, (Dropped(reason), Dropped(SegmentDrop.CHALLENGE_LIMITED))
    tcb = msgspec.structs.replace(tcb, challenge_at_us=now_us)
    answer = due_acknowledgment(tcb, now_us) if is_due else acknowledgment(tcb, now_us)
    return tcb, (Dropped(reason), answer)
