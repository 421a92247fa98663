"""The time-sequence graph of a simulated connection: what its client sent and when, and what came back.

Owns which steps are drawn, and the picture. matplotlib is an optional extra (`cli.sim.plot`).

Source: tcptrace's time-sequence graph, whose lines these are.
"""

from pathlib import Path
from types import ModuleType
from typing import Any, Final

from gossamer.cli.sim.plot import DOTS_PER_INCH
from gossamer.core.sim.agenda import START_US
from gossamer.core.sim.end import Observer
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.step import Connection
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.shards.seen.trace import points_of
from gossamer.shards.seen.tracepoints import PointKind, TracePoint

POINTS_MAX: Final = 50_000
"""Drawn of a connection; what comes after them is left out."""
KILOBYTE: Final = 1000


class Sequence:
    """An observer of a run: the points of the flow that begins first, as its client sees them."""

    def __init__(self, then: Observer | None) -> None:
        """`then` observes the same."""
        self.points: list[TracePoint] = []
        self._then = then
        self._iss: int | None = None

    def __call__(self, before: Connection, event: Event, after: Connection | None, actions: Actions) -> None:
        """A step of some connection."""
        if self._then is not None:
            self._then(before, event, after, actions)
        if self._iss is None and isinstance(before, Tcb) and before.state is State.SYN_SENT:
            self._iss = before.agreed.iss
        tcb = after if isinstance(after, Tcb) else before
        if isinstance(tcb, Tcb) and tcb.agreed.iss == self._iss and len(self.points) < POINTS_MAX:
            self.points += points_of(event.now_us - START_US, tcb, before, event, actions)


def draw(pyplot: ModuleType, path: Path, points: list[TracePoint], title: str) -> None:
    """Write the picture."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    sent = [point for point in points if point.kind in (PointKind.SENT, PointKind.SENT_AGAIN)]
    for kind, colour, label in (
        (PointKind.SENT, "tab:blue", "sent"),
        (PointKind.SENT_AGAIN, "tab:red", "sent again"),
    ):
        _segments(axes, [point for point in sent if point.kind is kind], colour, label)
    top = 1.05 * max((_top(point) for point in sent), default=1)
    _lines(axes, [point for point in points if point.kind is PointKind.ACKED], top)
    axes.set_ylim(0, top)
    axes.set_xlabel("virtual time, s")
    axes.set_ylabel("sequence number, kB")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize="small")
    axes.set_title(title, fontsize="medium")
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _segments(axes: Any, points: list[TracePoint], colour: str, label: str) -> None:
    times = [point.at_us / 1e6 for point in points]
    bottoms = [point.place / KILOBYTE for point in points]
    axes.vlines(times, bottoms, list(map(_top, points)), color=colour, linewidth=3, label=label, zorder=3)


def _lines(axes: Any, acked: list[TracePoint], top: float) -> None:
    """What the peer has acknowledged, and as far as it and the congestion window let the client send; what is
    never in the picture has no line."""
    times = [point.at_us / 1e6 for point in acked]
    places = [point.place / KILOBYTE for point in acked]
    windows = [(point.place + point.cwnd_bytes) / KILOBYTE for point in acked]
    offered = [(point.place + point.length) / KILOBYTE for point in acked]
    for values, colour, label in (
        (places, "tab:green", "acknowledged"),
        (windows, "tab:orange", "congestion window"),
        (offered, "grey", "the peer's window"),
    ):
        if _is_seen(values, top):
            axes.step(times, values, where="post", color=colour, linewidth=1, label=label)


def _is_seen(values: list[float], top: float) -> bool:
    """Whether a line runs through the picture, and does not only leave it at its beginning."""
    return sum(value < top for value in values) > len(values) // 10


def _top(point: TracePoint) -> float:
    return (point.place + point.length) / KILOBYTE
