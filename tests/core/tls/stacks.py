"""Both ends of a connection through TLS, on one stack or the other, for tests that hold on either."""

from collections.abc import Generator
from typing import Any

from gossamer.core.tls.stream import TlsAcceptor, TlsConnector, TlsStream

from ...certificates import asking, serving
from ..io.stacks import Functional, Kernel

CLIENT, SERVER = asking(), serving()


class Shaking(TlsAcceptor):
    """Hands out connections whose handshakes are over, so that a peer may be deaf from then on."""

    def accepted(self) -> Generator[Any, Any, TlsStream]:
        stream = yield from TlsAcceptor.accepted(self)
        yield from stream.ready()
        return stream


class Settled(TlsConnector):
    """Gives connections out once the server's handshake is over too: then it has sent its tickets."""

    def connected(self, opening: Any, timeout_us: int) -> Generator[Any, Any, TlsStream]:
        stream = yield from TlsConnector.connected(self, opening, timeout_us)
        yield from stream._take(65_536, timeout_us)
        return stream


class TlsKernel(Kernel):
    """Through TLS, on kernel sockets."""

    def listen_anywhere(self) -> Any:
        acceptor, address = super().listen_anywhere()
        return Shaking(acceptor, SERVER), address

    def __init__(self) -> None:
        super().__init__()
        self.acceptor = Shaking(self.acceptor, SERVER)
        self.connector = Settled(self.connector, CLIENT, "localhost")


class TlsFunctional(Functional):
    """Through TLS, on the functional TCP."""

    def listen_anywhere(self) -> Any:
        acceptor, address = super().listen_anywhere()
        return Shaking(acceptor, SERVER), address

    def __init__(self) -> None:
        super().__init__()
        self.acceptor = Shaking(self.acceptor, SERVER)
        self.connector = Settled(self.connector, CLIENT, "localhost")
