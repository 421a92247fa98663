"""examples/chat.py, run."""

import socket
from typing import BinaryIO

from .programs import SECONDS, Program, example, running


class Client:
    """One that is asked who it is, and says so."""

    def __init__(self, chat: Program, greeting: bytes, receive_bytes: int = 0) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(SECONDS)
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.connect(("127.0.0.1", chat.port))
        self.lines: BinaryIO = self.sock.makefile("rb")
        assert self.lines.readline() == b"Your name and a room?\n"
        self.say(greeting)

    def say(self, line: bytes) -> None:
        self.sock.sendall(line + b"\n")

    def hears(self, *lines: bytes) -> None:
        assert [self.lines.readline() for _ in lines] == [line + b"\n" for line in lines]

    def close(self) -> None:
        self.lines.close()
        self.sock.close()


def test_room__hears_what_is_said_there_and_nowhere_else() -> None:
    with running(example("chat.py", 0)) as chat:
        ada = Client(chat, b"ada kitchen")
        ada.hears(b"* ada comes")
        eve = Client(chat, b"eve cellar")
        eve.hears(b"* eve comes")
        bob = Client(chat, b"bob kitchen")
        bob.hears(b"* bob comes")
        eve.say(b"alone")
        bob.say("grüß dich".encode())
        ada.hears(b"* bob comes", "bob: grüß dich".encode())
        eve.hears(b"eve: alone")
        bob.sock.shutdown(socket.SHUT_WR)
        bob.hears("bob: grüß dich".encode())
        assert bob.lines.read() == b"", "what stood in the outbox was written, then the stream was closed"
        ada.hears(b"* bob leaves")
        for client in (ada, bob, eve):
            client.close()


def test_name__that_somebody_has_is_refused_until_that_one_leaves() -> None:
    with running(example("chat.py", 0)) as chat:
        ada = Client(chat, b"ada kitchen")
        ada.hears(b"* ada comes")
        for greeting in (b"ada kitchen", b"ada", b"a b c", b"x" * 2000):
            other = Client(chat, greeting)
            assert other.lines.read() == b"No name and room, or somebody else's name.\n"
            other.close()
        watcher = Client(chat, b"bob kitchen")
        watcher.hears(b"* bob comes")
        ada.close()
        watcher.hears(b"* ada leaves")
        again = Client(chat, b"ada kitchen")
        again.hears(b"* ada comes")
        again.close()
        watcher.close()


def test_client_that_does_not_read__has_to_leave_and_nobody_waits_for_it() -> None:
    with running(example("chat.py", 0)) as chat:
        slow = Client(chat, b"slow kitchen", receive_bytes=4096)
        slow.hears(b"* slow comes")
        ada = Client(chat, b"ada kitchen")
        ada.hears(b"* ada comes")
        line = b"x" * 1000
        for _ in range(50_000):
            ada.say(line)
            if (heard := ada.lines.readline()) != b"ada: " + line + b"\n":
                break
        assert heard == b"* slow leaves\n"
        slow.close()
        ada.close()


def test_line_without_end__ends_its_client_alone() -> None:
    with running(example("chat.py", 0)) as chat:
        ada = Client(chat, b"ada kitchen")
        bob = Client(chat, b"bob kitchen")
        bob.hears(b"* bob comes")
        ada.sock.sendall(b"x" * 2000)
        bob.hears(b"* ada leaves")
        ada.close()
        bob.close()
