"""Fast Open as a shard keeps it: the secret of its cookies and who is early, and the cookies of servers.

Owns both bounds of RFC 7413: how many connections may be early (a server's), and how many servers are
remembered (a client's). `core.tcp.fast_open` knows the form of cookies, what an early connection is, and what
a client learns of a server.

Source: RFC 7413 4.1.3, 4.1.3.1, 5.1.
"""

from collections import OrderedDict, deque

from gossamer.core.clock import Clock
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.records import replace
from gossamer.core.tcp import fast_open
from gossamer.core.tcp.actions import Granted
from gossamer.core.tcp.constants import FAST_OPEN_HELD_US, FAST_OPEN_REST_DOUBLINGS_MAX, FAST_OPEN_REST_US
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.wire.flow import Flow


class FastOpens:
    """Both sides of Fast Open. Bounds: `fast_open_pending_max`, `fast_open_servers_max`."""

    def __init__(self, parameters: TcpParameters, secret: bytes, clock: Clock) -> None:
        self._is_server = parameters.fast_open in ("server", "both")
        self._is_client = parameters.fast_open in ("client", "both")
        self._needs_cookie = not parameters.fast_open_without_cookie
        self._pending_max = parameters.fast_open_pending_max
        self._servers_max = parameters.fast_open_servers_max
        self._clock = clock
        self._secret = secret
        """The same in all shards of a server: a client's connections go to any of them."""
        self.early: dict[Connection, None] = {}
        """Handed out or in an accept queue, and their handshake is not over."""
        self._held_until_us: deque[int] = deque()
        """Places of early connections that failed, and when each is free again."""
        self._servers: OrderedDict[bytes, fast_open.FastOpenServer] = OrderedDict()
        """By their address, the one not used for longest first."""
        self._early_total = 0
        self._lost_total = 0

    def statistics(self) -> dict[str, int]:
        """Counts since the start."""
        return {"fast_opens_total": self._early_total, "fast_open_lost_total": self._lost_total}

    # The server.

    def judged(self, flow: Flow, cookie: bytes, opening: Opening) -> Opening:
        """The opening that a SYN with a cookie, or with a request for one, deserves."""
        if not self._is_server:
            return opening
        is_valid, latest = fast_open.judged(self._secret, flow, cookie, opening.now_us)
        return replace(opening, cookie=latest, takes_text=is_valid and self._has_place(opening.now_us))

    def _has_place(self, now_us: int) -> bool:
        """RFC 7413 5.1: the number of pending connections is limited, those ended by a RST counted."""
        held = self._held_until_us
        while held and held[0] <= now_us:
            held.popleft()
        return len(self.early) + len(held) < self._pending_max

    def begun(self, connection: Connection) -> None:
        """A connection is early."""
        self.early[connection] = None

    def is_over(self, connection: Connection) -> bool:
        """Whether this was early, now that its handshake is over: it was handed out then."""
        if connection not in self.early:
            return False
        del self.early[connection]
        self._early_total += 1
        return True

    def failed(self, connection: Connection) -> None:
        """An early connection ended without a handshake."""
        del self.early[connection]
        self._held_until_us.append(self._clock() + FAST_OPEN_HELD_US)

    # The client.

    def with_cookie(self, flow: Flow, opening: Opening) -> Opening:
        """An active opening that has data to send, with what is known of its server."""
        if not self._is_client:
            return opening
        server = self._servers.get(flow[:16], fast_open.FastOpenServer())
        if server.cookie:
            self._servers.move_to_end(flow[:16])
        if opening.now_us < server.rests_until_us:
            return opening
        return fast_open.with_known(opening, server, self._needs_cookie)

    def perform_granted(self, connection: Connection, action: Granted) -> None:
        """A server answered a Fast Open: its MSS, and a cookie if it gave one."""
        flow = connection.flow
        known = self._servers.get(flow[:16], fast_open.FastOpenServer())
        self._remember(flow, fast_open.after_answer(known, action))

    def on_lost(self, connection: Connection) -> None:
        """A SYN with the option was not answered in time."""
        self._lost_total += 1
        flow, now_us = connection.flow, self._clock()
        server = self._servers.get(flow[:16], fast_open.FastOpenServer())
        rest_us = FAST_OPEN_REST_US << min(server.losses, FAST_OPEN_REST_DOUBLINGS_MAX)
        self._remember(flow, replace(server, rests_until_us=now_us + rest_us, losses=server.losses + 1))

    def _remember(self, flow: Flow, server: fast_open.FastOpenServer) -> None:
        address = flow[:16]
        self._servers[address] = server
        self._servers.move_to_end(address)
        if len(self._servers) > self._servers_max:
            self._servers.popitem(last=False)
