"""From names to connections: order, fall-back, the first that answers."""

import socket
from typing import Any

import pytest

from gossamer.core.io import resolve as module
from gossamer.core.io.resolve import open_connection, resolve
from gossamer.core.io.sock import SockConnector

Kernel = Any


def answers(*addresses: tuple[int, str]) -> Any:
    def getaddrinfo(_host: str, port: int, *_rest: Any) -> list[Any]:
        return [(family, 1, 6, "", (address, port)) for family, address in addresses]

    return getaddrinfo


def test_resolve__families_in_turn_and_no_address_twice(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    found = answers((six, "::1"), (six, "::2"), (four, "127.0.0.1"), (four, "127.0.0.2"), (six, "::1"))
    monkeypatch.setattr(module.socket, "getaddrinfo", found)
    hosts = [host for host, _ in kernel.run(resolve("name", 80))]
    assert hosts == ["::1", "127.0.0.1", "::2", "127.0.0.2"]


def test_resolve__an_address_is_its_own_name(kernel: Kernel) -> None:
    assert kernel.run(resolve("127.0.0.1", 80)) == [("127.0.0.1", 80)]


def test_resolve__no_such_name__gaierror(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(module.socket, "getaddrinfo", fails)
    with pytest.raises(socket.gaierror):
        kernel.run(resolve("no.such.name", 80))


def test_open_connection__first_address_refuses__the_second_answers(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    found = answers((socket.AF_INET, "127.0.0.9"), (socket.AF_INET, "127.0.0.1"))
    monkeypatch.setattr(module.socket, "getaddrinfo", found)

    async def main() -> str:
        stream = await open_connection("name", server.getsockname()[1])
        host = stream.peer[0]
        await stream.close()
        return host

    assert kernel.run(main()) == "127.0.0.1"
    server.close()


def test_open_connection__all_refuse__the_last_error(kernel: Kernel) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            kernel.run(open_connection("127.0.0.1", taken.getsockname()[1], connector=SockConnector()))
