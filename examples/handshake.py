"""A connection without a network: two records open it, one sends, and every step says what it has changed.

    python examples/handshake.py

`step(connection, event)` returns the connection after the event, and the actions it wants done; nothing else
happens. So this program is the network, the clock and the users: it carries each segment to the other end in
10 ms, and once nothing is under way it lets time pass until the next timer.
"""

from collections import deque

from gossamer import tcp

WAY_US = 10_000
OTHER = {"client": "server", "server": "client"}


class Network:
    """Two ends, and the segments between them in the order in which they were sent."""

    def __init__(self) -> None:
        self.now_us = 1_000_000
        self.ends: dict[str, tcp.Tcb] = {}
        self._under_way: deque[tuple[str, tcp.Segment]] = deque()

    def opening(self, iss: int) -> tcp.Opening:
        """What a new connection takes from outside. Such small initial numbers are for the eye alone."""
        return tcp.Opening(now_us=self.now_us, iss=iss, ts_offset=0, mss=1460)

    def becomes(
        self, name: str, what: str, outcome: tuple[tcp.Tcb | tcp.TimeWait | None, tcp.Actions]
    ) -> None:
        """Keep what one end has become, print what has changed, and do what it wants done."""
        connection, actions = outcome
        assert isinstance(connection, tcp.Tcb), "nobody closes here"
        before = self.ends.get(name)
        self.ends[name] = connection
        changes = tcp.explain(before, connection) if before else connection.state.name
        print(f"\n{self.now_us:,} us, {name}: {what}: {changes}")
        for action in actions:
            if isinstance(action, tcp.Segment):
                self._under_way.append((OTHER[name], action))
            print("  ->", shown(action) if isinstance(action, tcp.Segment) else action)

    def happens(self, name: str, what: str, event: tcp.Event) -> None:
        self.becomes(name, what, tcp.step(self.ends[name], event))

    def carry(self) -> None:
        """Carry what is under way, and what is sent because of it, until nothing is."""
        while self._under_way:
            name, segment = self._under_way.popleft()
            self.now_us += WAY_US
            if name in self.ends:
                self.happens(name, f"{shown(segment)} arrives", tcp.SegmentArrives(segment, self.now_us))
            else:
                made = tcp.listen(tcp.Listener(), segment, self.opening(500))
                self.becomes(name, f"{shown(segment)} arrives at the listener", made)


def shown(segment: tcp.Segment) -> str:
    return f"{tcp.flags_of(segment)} seq={segment.seq} ack={segment.ack} {len(segment.payload)} octets"


def main() -> None:
    network = Network()
    network.becomes("client", "its user opens", tcp.open_active(tcp.TcpParameters(), network.opening(100)))
    network.carry()
    network.happens("client", "its user sends", tcp.Send(b"hello", network.now_us))
    network.carry()
    network.happens("server", "its user receives", tcp.Receive(100, network.now_us))
    network.now_us = tcp.deadline_us(network.ends["server"])
    timers = tcp.timers_due(network.ends["server"], network.now_us)
    network.happens("server", f"timeout of {', '.join(timers)}", tcp.Timeout(network.now_us))
    network.carry()


if __name__ == "__main__":
    main()
