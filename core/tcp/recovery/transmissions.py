"""When what is in flight was sent: runs of sequence space, not one record a segment.

Owns `Tcb.transmissions`. It is empty while all in flight left in the millisecond of `snd_at_us`, for the
first time: a request and its answer cost nothing here. Runs ascend, touch, and end at SND.NXT.

Octets sent in one millisecond share a run, which holds the latest of their times: what is taken for sent
later than it was is taken for lost later, never earlier. Joined runs hold the earliest time too, by which
they are judged once they have arrived. Sequence numbers order what a run holds.

Bounds: TRANSMISSIONS_MAX runs; beyond it neighbours are joined two by two.

Source: RFC 8985 5.2 (Segment.xmit_ts, Segment.retransmitted).
"""

import msgspec

from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp.constants import CLOCK_GRANULARITY_US, TRANSMISSIONS_MAX
from gossamer.core.tcp.recovery.records import Run
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace
Runs = tuple[Run, ...]


def _is_same_tick(one_us: int, other_us: int) -> bool:
    return one_us // CLOCK_GRANULARITY_US == other_us // CLOCK_GRANULARITY_US


def runs_of(tcb: Tcb) -> Runs:
    """The runs in flight, the unwritten one too."""
    if tcb.transmissions or tcb.snd_una == tcb.snd_nxt:
        return tcb.transmissions
    return (Run(tcb.snd_nxt, tcb.snd_at_us),)


def after_sending(tcb: Tcb, snd_nxt: Seq, now_us: int) -> Runs:
    """The runs once new octets up to `snd_nxt` have left; `tcb` is the connection before."""
    if not tcb.transmissions and (tcb.snd_una == tcb.snd_nxt or _is_same_tick(tcb.snd_at_us, now_us)):
        return () if tcb.delivery is None else (Run(snd_nxt, now_us, delivery=tcb.delivery),)
    runs = runs_of(tcb)
    last = runs[-1]
    # While something is being sent again, time alone shows the order: only the same moment is one run.
    is_plain = tcb.recovery is None and not last.retransmitted
    if is_plain and _is_same_tick(last.sent_at_us, now_us):
        return (*runs[:-1], replace(last, right=snd_nxt, sent_at_us=now_us))
    return bounded((*runs, Run(snd_nxt, now_us, delivery=tcb.delivery)))


def after_retransmission(tcb: Tcb, left: Seq, right: Seq, now_us: int) -> Runs:
    """The runs once [left, right) has left again."""
    una, runs = tcb.snd_una, runs_of(tcb)
    first = run_after(runs, left, una)
    last = _run_ending_from(runs, (right - una) & MASK, una)
    start = runs[first - 1].right if first else una
    before: Runs = runs[:first]
    if start != left:
        before = (*before, replace(runs[first], right=left))
    elif before and before[-1].retransmitted and before[-1].sent_at_us == now_us:
        before = before[:-1]
    return bounded(
        (*before, Run(right, now_us, retransmitted=True), *runs[last + (runs[last].right == right) :])
    )


def with_fin_apart(tcb: Tcb) -> Runs:
    """The runs once a FIN has left in a segment of its own: it has a run of its own, too, though the text
    before it left in the same millisecond, since a tail loss probe is the last segment (RFC 8985 7.3)."""
    if (tcb.snd_nxt - tcb.snd_una) & MASK == 1:
        return tcb.transmissions
    runs, fin_seq = runs_of(tcb), Seq((tcb.snd_nxt - 1) & MASK)
    last = runs[-1]
    if last_run_bytes(tcb) == 1:
        return tcb.transmissions
    return bounded((*runs[:-1], replace(last, right=fin_seq), replace(last, since_us=0)))


def last_run_bytes(tcb: Tcb) -> int:
    """How much of what is in flight was sent together, at last."""
    runs = tcb.transmissions
    return (tcb.snd_nxt - (runs[-2].right if len(runs) > 1 else tcb.snd_una)) & MASK


def run_after(runs: Runs, seq: Seq, una: Seq) -> int:
    """The index of the run that holds the octet `seq`."""
    return _run_ending_from(runs, ((seq - una) & MASK) + 1, una)


def _run_ending_from(runs: Runs, distance: int, una: Seq) -> int:
    """The index of the first run that ends at least so far after SND.UNA."""
    low, high = 0, len(runs)
    while low < high:
        middle = (low + high) >> 1
        if (runs[middle].right - una) & MASK < distance:
            low = middle + 1
        else:
            high = middle
    return low


def after_ack(tcb: Tcb, ack: Seq) -> Runs:
    """The runs that an ACK leaves; `tcb` is the connection before it."""
    runs = tcb.transmissions
    kept = runs[run_after(runs, ack, tcb.snd_una) :]
    if len(kept) == 1 and kept[0] == Run(tcb.snd_nxt, tcb.snd_at_us):
        return ()
    return kept


def bounded(runs: Runs) -> Runs:
    """At most TRANSMISSIONS_MAX runs: older neighbours are joined in pairs, under the later of their
    times."""
    if len(runs) <= TRANSMISSIONS_MAX:
        return runs
    joined = [_joined(runs[at], runs[at + 1]) for at in range(0, len(runs) - 1, 2)]
    return (*joined, *runs[2 * len(joined) :])


def _joined(left: Run, right: Run) -> Run:
    return Run(
        right.right,
        max(left.sent_at_us, right.sent_at_us),
        left.retransmitted or right.retransmitted,
        right.delivery,
        min(left.since_us or left.sent_at_us, right.since_us or right.sent_at_us),
    )


def pieces(tcb: Tcb, left: Seq, right: Seq) -> list[tuple[Seq, Seq, Run]]:
    """[left, right), which is in flight, as (left, right, its run)."""
    una, runs = tcb.snd_una, runs_of(tcb)
    end, found = (right - una) & MASK, []
    for index in range(run_after(runs, left, una), len(runs)):
        run = runs[index]
        if (run.right - una) & MASK >= end:
            found.append((left, right, run))
            break
        found.append((left, run.right, run))
        left = run.right
    return found


def arrived_pieces(tcb: Tcb, left: Seq, right: Seq) -> list[tuple[Seq, Seq, Run]]:
    """The same of what has arrived, each run with the earliest of its times: nothing else may be taken for
    lost because of octets that only share a run with what was sent later."""
    return [
        (start, end, replace(run, sent_at_us=run.since_us) if run.since_us else run)
        for start, end, run in pieces(tcb, left, right)
    ]


def run_ending_at(tcb: Tcb, ack: Seq) -> Run | None:
    """The run whose last octet an ACK acknowledges last: the one octet whose time of sending is exact."""
    runs = runs_of(tcb)
    index = _run_ending_from(runs, (ack - tcb.snd_una) & MASK, tcb.snd_una)
    run = runs[index] if index < len(runs) else None
    return run if run is not None and run.right == ack else None


def run_of(tcb: Tcb, seq: Seq) -> Run:
    """The run that holds the octet `seq`, which is in flight."""
    runs = runs_of(tcb)
    return runs[run_after(runs, seq, tcb.snd_una)]


def last_retransmitted_us(tcb: Tcb, ack: Seq) -> int:
    """When any octet before `ack` was last sent again; 0 when none was."""
    runs = tcb.transmissions
    acked = runs[: run_after(runs, Seq((ack - 1) & MASK), tcb.snd_una) + 1]
    return max((run.sent_at_us for run in acked if run.retransmitted), default=0)
