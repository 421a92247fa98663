"""Over what contenders are asked: a table of links, and the plan: which row over which of them, of whom.

Owns the plan, which is pure. A real link comes first, a veth pair with an MTU of 1500; loopback, whose
packets of 64 KiB hide what segmentation costs, comes second.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gossamer.loadtest.web.contenders import ALL, OURS_AND_NGINX, OURS_NAMES, asked_of
from gossamer.loadtest.web.rows import APPLIED, LOSSY, ROWS, WHOLE, AskedRow


class WebLink(msgspec.Struct, frozen=True):
    """What lies between client and server."""

    name: str
    family: int
    is_loopback: bool = False
    has_offloads: bool = True
    """TSO and GRO; without them the device gets packets of the MTU, as where a card cannot cut or join."""

    def words(self, row: AskedRow) -> str:
        """The conditions of a row over this link."""
        family = f"IPv{self.family}"
        if self.is_loopback:
            return f"loopback, MTU 65536, {family}"
        if row.round_trip_us:
            return f"relay between two TUN devices, MTU 1500, {family}, no offloads"
        offloads = "on" if self.has_offloads and not row.loss_percent else "off"
        return f"veth, MTU 1500, {family}, TSO and GRO {offloads}"


_LINKS: Final = (
    WebLink("veth4", 4),
    WebLink("veth4-off", 4, has_offloads=False),
    WebLink("veth6", 6),
    WebLink("veth6-off", 6, has_offloads=False),
    WebLink("lo4", 4, is_loopback=True),
    WebLink("lo6", 6, is_loopback=True),
)
LINKS: Final = {link.name: link for link in _LINKS}


class Case(msgspec.Struct, frozen=True):
    """One row over one link, and who is asked."""

    row: AskedRow
    link: WebLink
    contenders: tuple[str, ...]

    @property
    def name(self) -> str:
        """As reports and options name it."""
        return f"{self.row.name} over {self.link.name}"


PLAN: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("veth4", (*WHOLE, *APPLIED), ALL),
    ("veth4-off", ("64k", "bulk-down", "bulk-up"), OURS_AND_NGINX),
    ("veth4-off", LOSSY, OURS_NAMES),
    ("veth6", ("keep-alive", "64k", "bulk-down"), OURS_AND_NGINX),
    ("lo4", ("keep-alive", "new-connection", "64k", "bulk-down"), OURS_AND_NGINX),
)
"""Link, rows, contenders: what is asked unless somebody says otherwise."""


def planned(rows: Sequence[str], links: Sequence[str], contenders: Sequence[str]) -> list[Case]:
    """The cases in order. Links that are named get every row that is wanted; without one the plan holds."""
    if not links:
        chosen = [(link, row, who) for link, asked, who in PLAN for row in asked]
    else:
        chosen = [(link, row, ALL) for link in links for row in ROWS]
    cases = [
        Case(
            ROWS[row],
            LINKS[link],
            tuple(name for name in who if name in contenders and name in asked_of(row)),
        )
        for link, row, who in chosen
        if row in rows
    ]
    return [case for case in _possible(cases) if case.contenders]


def _possible(cases: list[Case]) -> Iterator[Case]:
    """Loopback loses nothing, and a lossy row never has offloads: a packet of 64 KiB would be lost whole."""
    for case in cases:
        if not case.row.loss_percent or (not case.link.is_loopback and not case.link.has_offloads):
            yield case
