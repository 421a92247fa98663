"""TLS without I/O: what one end says is what the other hears, whatever the pieces; and whatever is not said
right is an error."""

import ssl
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gossamer.core.tls.context import client_context
from gossamer.core.tls.errors import CertificateFileError, NotTlsError, TlsError, TruncatedError
from gossamer.core.tls.machine import ANSWERS_BYTES_MAX, TlsMachine

from ...certificates import AUTHORITY, asking, pair, serving

VERSIONS = ("1.2", "1.3")


def client_of(context: ssl.SSLContext, host: str = "localhost") -> TlsMachine:
    return TlsMachine(context, server_hostname=host)


def ends(version: str = "1.3", host: str = "localhost", **terms: Any) -> tuple[TlsMachine, TlsMachine]:
    """A client and a server that have agreed."""
    context = asking()
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    client, server = client_of(context, host), TlsMachine(serving(**terms), server_side=True)
    agree(client, server)
    return client, server


def agree(client: TlsMachine, server: TlsMachine) -> None:
    """Shake hands. Raises: TlsError of the end that fails first."""
    while not (client.is_ready and server.is_ready and not client.has_output and not server.has_output):
        for one, other in ((client, server), (server, client)):
            if one.is_server and not one.has_begun:
                continue
            try:
                one.is_ready or one.shake()
            finally:
                if one.has_output:
                    other.receive(one.output())
            if one.is_ready:
                assert one.read(1) is None


def carry(one: TlsMachine, other: TlsMachine, data: bytes, piece_bytes: int = 1 << 20) -> bytes:
    """What the other end reads of what this one writes, where it comes in such pieces."""
    one.write(data)
    wire, heard = one.output(), b""
    for at in range(0, len(wire), piece_bytes):
        other.receive(wire[at : at + piece_bytes])
        while (part := other.read(65_536)) is not None:
            heard += part
    return heard


@pytest.mark.parametrize("version", VERSIONS)
def test_ends__agree__and_both_know_on_what(version: str) -> None:
    client, server = ends(version)
    for facts in (client.facts(), server.facts()):
        assert facts.version == f"TLSv{version}"
        assert "GCM" in facts.cipher or "CHACHA20" in facts.cipher
        assert facts.alpn == "http/1.1"
        assert not facts.is_resumed
    certificate = client.facts().peer_certificate
    assert certificate is not None
    assert ("DNS", "a.example") in certificate["subjectAltName"]
    assert server.facts().peer_certificate is None


@given(data=some.binary(min_size=1, max_size=100_000), piece_bytes=some.integers(1, 50_000))
def test_octets__of_any_length_in_any_pieces__arrive(data: bytes, piece_bytes: int) -> None:
    client, server = AGREED
    assert carry(client, server, data, piece_bytes) == data
    assert carry(server, client, data, piece_bytes) == data


AGREED = ends()


@pytest.mark.parametrize("version", VERSIONS)
def test_close_notify__ends_one_way__and_the_other_goes_on(version: str) -> None:
    client, server = ends(version)
    client.write(b"last")
    client.end()
    client.end()
    server.receive(client.output())
    assert [server.read(10), server.read(10), server.read(10)] == [b"last", b"", b""]
    assert carry(server, client, b"still here") == b"still here"
    server.end()
    client.receive(server.output())
    assert client.read(10) == b""


@pytest.mark.parametrize("version", VERSIONS)
def test_close_notify__octets_that_had_come__are_read_after_it(version: str) -> None:
    client, server = ends(version)
    client.write(b"a" * 40_000)
    server.receive(client.output())
    server.end()
    heard = b""
    while (part := server.read(1000)) is not None:
        heard += part
    assert heard == b"a" * 40_000
    client.receive(server.output())
    assert client.read(10) == b""


def test_the_network_ends__without_close_notify__truncated_for_ever() -> None:
    client, server = ends()
    client.write(b"a part")
    server.receive(client.output())
    server.receive(b"")
    assert server.read(10) == b"a part"
    for _ in range(2):
        with pytest.raises(TruncatedError, match="without the peer's close_notify"):
            server.read(10)


def test_the_network_ends__in_the_midst_of_a_record__truncated() -> None:
    client, server = ends()
    client.write(b"one")
    whole = client.output()
    client.write(b"two")
    server.receive(whole + client.output()[:-1])
    server.receive(b"")
    assert server.read(10) == b"one"
    with pytest.raises(TruncatedError):
        server.read(10)


UNREADABLE = "bad record mac|a record that cannot be read"
"""As OpenSSL 3.0 says it, and as we do of later ones, which have one name for whatever is wrong there."""


def test_a_record_that_somebody_has_changed__an_alert__and_nothing_more() -> None:
    client, server = ends()
    client.write(b"hello")
    octets = bytearray(client.output())
    octets[-1] ^= 1
    server.receive(bytes(octets))
    with pytest.raises(TlsError, match=UNREADABLE):
        server.read(10)
    assert server.has_output
    with pytest.raises(TlsError, match=UNREADABLE):
        server.write(b"x")
    client.receive(server.output())
    with pytest.raises(TlsError, match="the peer has refused: bad record mac"):
        client.read(10)


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\n", b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x00\x02", b"\0"])
def test_a_client_that_speaks_no_tls__is_told_apart__and_nothing_is_said(begin: bytes) -> None:
    server = TlsMachine(serving(), server_side=True)
    with pytest.raises(NotTlsError) as raised:
        server.receive(begin)
    assert raised.value.received == begin
    with pytest.raises(TlsError):
        server.shake()
    assert not server.has_output


def refusal(client: ssl.SSLContext, server: ssl.SSLContext, host: str = "localhost") -> str:
    """What a handshake fails for."""
    ends = client_of(client, host), TlsMachine(server, server_side=True)
    with pytest.raises(TlsError) as raised:
        agree(*ends)
    return str(raised.value)


def limited(**attributes: Any) -> ssl.SSLContext:
    """A client that trusts anybody, of such attributes."""
    context = asking(verifies=False)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def with_ciphers(ciphers: str) -> ssl.SSLContext:
    context = limited(minimum_version=ssl.TLSVersion.TLSv1_2, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(ciphers + ":@SECLEVEL=0")
    return context


@pytest.mark.parametrize(
    ("client", "server", "says"),
    [
        (lambda: asking(), lambda: serving("stranger"), "self-signed certificate"),
        (lambda: asking(), lambda: serving("expired"), "certificate has expired"),
        (lambda: asking(), lambda: serving("other"), "Hostname mismatch"),
        (lambda: with_ciphers("AES128-SHA256"), serving, "no shared cipher"),  # no forward secrecy
        (lambda: with_ciphers("ECDHE-ECDSA-AES128-SHA256"), serving, "no shared cipher"),  # CBC
        (lambda: with_ciphers("eNULL"), serving, "no shared cipher"),
        (
            lambda: limited(maximum_version=ssl.TLSVersion.TLSv1_2),
            lambda: serving(version_min="1.3"),
            "unsupported protocol",
        ),
    ],
    ids=["self-signed", "expired", "other host", "no forward secrecy", "cbc", "null", "1.2"],
)
def test_handshake__what_is_not_allowed__one_line(client: Any, server: Any, says: str) -> None:
    assert says in refusal(client(), server())


CLIENTS = serving(authorities=AUTHORITY, asks="required")


def test_no_authorities__though_some_are_wanted__are_refused_and_never_anybody() -> None:
    with pytest.raises(CertificateFileError, match="it holds no certificate"):
        serving(asks="required")
    with pytest.raises(CertificateFileError, match="it holds no certificate"):
        client_context(b"")


@pytest.mark.parametrize(
    ("shown", "says"),
    [("", "peer did not return a certificate"), ("stranger", "self-signed certificate"), ("client", "")],
)
def test_certificates_of_clients__required(shown: str, says: str) -> None:
    context = asking(pair=pair(shown)) if shown else asking()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if says:
        assert says in refusal(context, CLIENTS)
        return
    client, server = client_of(context), TlsMachine(CLIENTS, server_side=True)
    agree(client, server)
    certificate = server.facts().peer_certificate
    assert certificate is not None
    assert (("commonName", "ada"),) in certificate["subject"]


def test_key_updates__that_ask_for_an_answer_and_read_none__are_bounded() -> None:
    """A peer that never reads has us owe it no more than a bound."""
    client, server = ends("1.2")
    # A client of TLS 1.2 that begins to renegotiate gets a warning each time (RFC 5246 7.4.1.1).
    assert server._out.pending == 0
    server._out.write(b"x" * (ANSWERS_BYTES_MAX + 1))
    with pytest.raises(TlsError, match="more answers than it reads"):
        server.read(1)
    del client


SERVER = serving()


@given(
    parts=some.lists(some.binary(min_size=1, max_size=600), min_size=1, max_size=5), is_tls=some.booleans()
)
def test_any_octets__of_a_client__are_a_tls_error_or_not_enough(parts: list[bytes], *, is_tls: bool) -> None:
    """Nothing else is ever raised, and next to nothing is answered."""
    server = TlsMachine(SERVER, server_side=True)
    if is_tls:
        parts[0] = b"\x16\3\1" + parts[0]
    with suppress(TlsError):
        for part in (*parts, b""):
            server.receive(part)
            assert not server.shake()
    with pytest.raises(TlsError):
        server.read(10)
    assert not server.is_ready
    assert len(server.output()) < 100


@given(noise=some.binary(min_size=1, max_size=600), version=some.sampled_from(VERSIONS))
def test_any_octets__amid_a_connection__are_a_tls_error_or_not_enough(noise: bytes, version: str) -> None:
    client, server = ends(version)
    client.write(b"whole")
    server.receive(client.output() + noise)
    heard = b""
    with suppress(TlsError):
        while part := server.read(100):
            heard += part
    assert heard == b"whole"
