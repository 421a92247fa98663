"""Clients in the midst of a request head: half of it is sent, something happens to the server, then the rest.

    begin()   so many connections, every other one answered once before; half a head on each
    finish()  the rest of it, the answer, and a second request on the same connection

Owns what is made of each request. Whoever has sent an octet of a request must be answered.

Bounds: PATIENCE_S for each connection, request and answer.
"""

import contextlib
import socket
import time
from collections import Counter
from contextlib import AbstractContextManager
from typing import Final

from gossamer.core.wire.flow import Address
from gossamer.loadtest.met import Met

FIRST_HALF: Final = b"GET / HTTP/1.1\r\nHo"
OTHER_HALF: Final = b"st: half\r\n\r\n"
PATIENCE_S: Final = 30.0
READ_BYTES: Final = 65_536


class HalfHeads:
    """So many of these clients; `met` says what came, `met.lost` what came instead of an answer."""

    def __init__(
        self, address: Address, count: int, expected: bytes, place: AbstractContextManager[None]
    ) -> None:
        """`expected` is how every answer ends; connections are made in `place`, once."""
        self.met = Met()
        self._expected = expected
        self._clients: list[socket.socket] = []
        with place:
            for _ in range(count):
                self._clients.append(socket.create_connection(address, PATIENCE_S))

    def begin(self) -> None:
        """Have each in the midst of a head. Raises: OSError, where that is not possible yet."""
        for index, client in enumerate(self._clients):
            if index % 2:
                client.sendall(FIRST_HALF + OTHER_HALF)
                self._read(client)
            client.sendall(FIRST_HALF)

    def finish(self) -> Counter[str]:
        """Send what is missing, and ask once more behind the answer; what was lost, by what came instead."""
        for client in self._clients:
            with contextlib.suppress(OSError):  # Whoever reads hears of it.
                client.sendall(OTHER_HALF)
        for client in self._clients:
            with client:
                self._read(client) and self._ask_again(client)
        self._clients.clear()
        return self.met.lost

    def _ask_again(self, client: socket.socket) -> bool:
        try:
            client.sendall(FIRST_HALF + OTHER_HALF)
        except OSError as error:
            self.met.lose(error, " as it asked again")
            return False
        return self._read(client)

    def _read(self, client: socket.socket) -> bool:
        """Whether an answer came."""
        answer, begun_s = b"", time.monotonic()
        try:
            while not answer.endswith(self._expected):
                part = client.recv(READ_BYTES)
                if not part:
                    self.met.lost[f"the end of the stream behind {len(answer)} octets"] += 1
                    return False
                answer += part
        except OSError as error:
            self.met.lose(error, f" behind {len(answer)} octets")
            return False
        finally:
            self.met.wait(time.monotonic() - begun_s)
        self.met.answered += 1
        return True
