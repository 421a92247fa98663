"""Two ends on one wire, in virtual time.

Owns the bound on how long such a run may last; `core.sim.flow` has the two ends, `core.sim.agenda` the clock.
"""

from gossamer.core.clock import NEVER_US
from gossamer.core.sim.agenda import START_US, Agenda
from gossamer.core.sim.end import End, Observer, Stepper
from gossamer.core.sim.flow import EndSetting, SimulatedFlow
from gossamer.core.sim.link import Link
from gossamer.core.tcp.step import step

__all__ = ["STEPS_MAX", "Pair", "EndSetting"]

STEPS_MAX = 30_000
"""Events of one run; a run that needs more has not converged."""


class Pair:
    """A client that opens actively, and a server that listens."""

    def __init__(
        self,
        client: EndSetting,
        server: EndSetting,
        seed: int = 0,
        observer: Observer | None = None,
        now_us: int = START_US,
        stepper: Stepper = step,
        wire: Link | None = None,
    ) -> None:
        """`wire` is the one away from the client, where it is not that of its setting."""
        self._agenda = Agenda(STEPS_MAX, now_us)
        self.links: tuple[Link, Link] = (
            wire or Link(client.faults, seed * 2, client.line),
            Link(server.faults, seed * 2 + 1, server.line),
        )
        """The wire away from the client, and away from the server."""
        self._flow = SimulatedFlow(self._agenda, client, server, self.links, observer, stepper=stepper)

    @property
    def now_us(self) -> int:
        """The virtual time."""
        return self._agenda.now_us

    @property
    def client(self) -> End:
        """The end that opened."""
        return self._flow.client

    @property
    def server(self) -> End | None:
        """The end that listened, once it has heard a SYN."""
        return self._flow.server

    def run(self, until_us: int = NEVER_US) -> None:
        """Go on until nothing more happens, or until a time.

        Raises: BoundExceeded when STEPS_MAX is reached.
        """
        self._agenda.run(until_us)
