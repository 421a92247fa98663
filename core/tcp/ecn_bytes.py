"""The AccECN option: the receiver says how many octets came with which ECN codepoint.

Owns three counters of the receiver and what the sender knows of the peer's: what arrives is counted, the
option says what has changed, and the peer's option says how much of ours was marked. `core.tcp.accurate_ecn`
owns the field ACE, which counts packets and is always there; it asks here where it may have wrapped.

The option stands on the SYN-ACK, on a client's first ACK and its first text, where that leaves room, and on
every ACK without text once a counter has changed since the last; with `ecn_on_all`, on all that is sent to a
peer that has spoken of it itself. SACK blocks have precedence.

It is given up where what was acknowledged with it always comes again (3.2.3.2.2).

Source: RFC 9768 3.2.1, 3.2.3.
"""

from typing import Final

import msgspec

from gossamer.core.seq import Seq
from gossamer.core.tcp.tcb import NO_ECN_BYTES, Ecn, EcnCounters, Tcb
from gossamer.core.wire.options import OPTIONS_BYTES_MAX, encode_options
from gossamer.core.wire.segment import CE, ECT_0, ECT_1, EcnBytes, Segment

replace = msgspec.structs.replace

FIELD_MASK: Final = 0xFFFFFF


# The receiver of data.


def counted(held: Ecn, segment: Segment) -> Ecn:
    """The record after text that came with a codepoint. Source: RFC 9768 3.2.3: r.e0b, r.ceb, r.e1b."""
    octets, came = len(segment.payload), held.received
    if not octets or not segment.ecn & CE:
        return held
    if segment.ecn == CE:
        came = EcnCounters(came.e0b, came.ceb + octets, came.e1b)
    elif segment.ecn == ECT_0:
        came = EcnCounters(came.e0b + octets, came.ceb, came.e1b)
    else:
        assert segment.ecn == ECT_1
        came = EcnCounters(came.e0b, came.ceb, came.e1b + octets)
    return replace(held, received=came)


def repeated(tcb: Tcb, segment: Segment) -> Tcb:
    """The connection when text comes that was acknowledged.

    Source: RFC 9768 3.2.3.2.2: "Such a host MAY detect loss of ACKs carrying the AccECN Option by detecting
    whether the acknowledged data always reappears as a retransmission. In such cases, the host SHOULD disable
    the sending of the AccECN Option for this half-connection"; twice is taken for always.
    """
    held = tcb.ecn
    if held is None or held.repeated is None or held.repeated != segment.seq:
        return tcb
    return replace(tcb, ecn=replace(held, option_is_lost=True))


def after_repeat(tcb: Tcb, segment: Segment, answer: Segment) -> Tcb:
    """The connection once text that came again was answered."""
    if tcb.ecn is None or answer.ecn_bytes is None:
        return tcb
    return replace(tcb, ecn=replace(tcb.ecn, repeated=Seq(segment.seq)))


def with_option(tcb: Tcb, segment: Segment, room_bytes: int = OPTIONS_BYTES_MAX) -> Segment:
    """An ACK with the option, where there is news since the last and room beside its other options, and
    beside its text, which leaves `room_bytes`.

    Source: RFC 9768 3.2.3.3: "The Data Receiver SHOULD include an AccECN TCP Option on every scheduled ACK if
    any byte counter has incremented since the last ACK", with "a field for every byte counter that has
    changed at some time during the connection"; from the end, what has not changed since the last option may
    be left out; "precedence to the SACK option".
    """
    held = tcb.ecn
    parameters = tcb.agreed.parameters
    if held is None or not tcb.agreed.accurate_ecn or not parameters.ecn_option or parameters.ecn_on_all:
        return segment
    if held.option_is_lost:
        return segment
    is_first = held.told is None or (held.owes_on_text and len(segment.payload) > 0)
    if not is_first and held.told == held.received:
        return segment
    room = min(room_bytes, OPTIONS_BYTES_MAX - len(encode_options(segment)))
    option = _fitting(held.received, held.told or NO_ECN_BYTES, room, is_whole=is_first)
    return segment if option is None else replace(segment, ecn_bytes=option)


def after_telling(tcb: Tcb, segments: list[Segment]) -> Tcb:
    """The connection once these have left."""
    held = tcb.ecn
    if held is None or all(segment.ecn_bytes is None for segment in segments):
        return tcb
    has_text = any(segment.ecn_bytes is not None and len(segment.payload) > 0 for segment in segments)
    owes_on_text = held.owes_on_text and not has_text
    return replace(tcb, ecn=replace(held, told=held.received, owes_on_text=owes_on_text))


def on_syn_ack(segment: Segment, is_order_1: bool) -> Segment:
    """A SYN-ACK with all fields, or with the empty option, where there is room for no more. Source: RFC 9768
    3.2.3.2.1."""
    room = OPTIONS_BYTES_MAX - len(encode_options(segment))
    option = _fitting(NO_ECN_BYTES, NO_ECN_BYTES, room, is_whole=True, is_order_1=is_order_1)
    return segment if option is None else replace(segment, ecn_bytes=option)


BYTES_BY_FIELDS: Final = (4, 8, 8, 12)
"""What an option of so many fields takes of a header, filled up to words."""
WHOLE_BYTES: Final = BYTES_BY_FIELDS[-1]


def _fitting(
    came: EcnCounters, told: EcnCounters, room: int, *, is_whole: bool = False, is_order_1: bool = False
) -> EcnBytes | None:
    """The option that says all that `told` did not; None where there is no room for it."""
    is_order_1 = is_order_1 or (came.e0b == NO_ECN_BYTES.e0b and came.e1b != NO_ECN_BYTES.e1b)
    now = _in_order(came, is_order_1)
    wanted = 3 if is_whole else _through_last_change(now, _in_order(NO_ECN_BYTES, is_order_1))
    needed = _through_last_change(now, _in_order(told, is_order_1))
    count = next((n for n in range(wanted, needed - 1, -1) if BYTES_BY_FIELDS[n] <= room), None)
    if count is None:
        return None
    fields = [n & FIELD_MASK if at < count else -1 for at, n in enumerate(now)]
    if is_order_1:
        return EcnBytes(fields[2], fields[1], fields[0], True)
    return EcnBytes(fields[0], fields[1], fields[2])


def _through_last_change(now: tuple[int, int, int], before: tuple[int, int, int]) -> int:
    """How many fields there are up to the last that has changed."""
    return max([at + 1 for at in range(3) if now[at] != before[at]], default=0)


def _in_order(counters: EcnCounters, is_order_1: bool) -> tuple[int, int, int]:
    if is_order_1:
        return counters.e1b, counters.ceb, counters.e0b
    return counters.e0b, counters.ceb, counters.e1b


def on_all(tcb: Tcb, segment: Segment) -> Segment:
    """A segment with the whole option, the counter of ECT(1) first, where its other options leave room for
    one: with `ecn_on_all`, and a peer that has spoken of it."""
    held, parameters = tcb.ecn, tcb.agreed.parameters
    if held is None or not parameters.ecn_option or not held.has_heard_option or held.ignores_option:
        return segment
    if held.option_is_lost:
        return segment
    room = OPTIONS_BYTES_MAX - len(encode_options(segment))
    option = _fitting(held.received, NO_ECN_BYTES, room, is_whole=True, is_order_1=True)
    return segment if option is None else replace(segment, ecn_bytes=option)


# The sender of data.


def first_heard(tcb: Tcb, segment: Segment) -> Tcb:
    """The connection at the segment that ends the peer's half of the handshake, whose option is the first.

    Source: RFC 9768 3.2.3.2.4: a field of zero shows that something on the path clears them: no option of
    this peer is believed. What it begins at else may be anything.
    """
    option = segment.ecn_bytes
    if option is None or tcb.ecn is None:
        return tcb
    if 0 in (option.ee0b, option.ee1b):
        return replace(tcb, ecn=replace(tcb.ecn, ignores_option=True))
    return heard(replace(tcb, ecn=replace(tcb.ecn, has_heard_option=True)), segment)[0]


def heard(tcb: Tcb, segment: Segment) -> tuple[Tcb, int | None]:
    """The connection that knows what an ACK's option says, and by how many octets more were marked CE; None
    where it says nothing of that.

    Source: RFC 9768 3.2.3.1: from each field "the least significant 24 bits of its associated local counter"
    are subtracted, and the difference is the increment.
    """
    option, held = segment.ecn_bytes, tcb.ecn
    if option is None or held is None or held.ignores_option:
        return tcb, None
    sent = held.sent
    after = EcnCounters(
        _raised(sent.e0b, option.ee0b), _raised(sent.ceb, option.eceb), _raised(sent.e1b, option.ee1b)
    )
    more = after.ceb - sent.ceb if option.eceb >= 0 else 0
    # A counter that has never changed is left out, so an option without the field says that none was marked.
    return replace(tcb, ecn=replace(held, sent=after)), more


def _raised(counter: int, field: int) -> int:
    return counter if field < 0 else counter + ((field - counter) & FIELD_MASK)
