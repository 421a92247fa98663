"""What each end of TLS insists on: versions, ciphers, certificates, as an `ssl.SSLContext`.

Owns which files are taken, how each is refused in one line, and the settings that no connection can do
without: TLS 1.2 at the least, no renegotiation, no compression, forward secrecy in every suite. Private keys
come as octets, read by whoever may read them; they never stand in a file of ours.

Source: RFC 9325 (recommendations for the use of TLS); RFC 6066 3 (server names); RFC 7301 (ALPN).
"""

import os
import ssl
from collections.abc import Callable
from contextlib import closing
from typing import Final

from gossamer.core.tls.errors import CertificateFileError
from gossamer.core.tls.machine import ServedObject
from gossamer.core.tls.reasons import in_words
from gossamer.core.tls.terms import CIPHERS, HTTP_1, CertificatePair, ServerTerms

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
ASKS: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

ContextOf = Callable[[str], "ssl.SSLContext | None"]
"""The context of a host that a client asks for; None where the first one does."""


def no_other(_host: str) -> None:
    """Of a server with one certificate."""


def server_context(
    pair: CertificatePair, terms: ServerTerms, context_of: ContextOf = no_other
) -> ssl.SSLContext:
    """The context of one certificate, for all who ask for a host that has no other. Raises:
    CertificateFileError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[terms.version_min]
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        | ssl.OP_SINGLE_ECDH_USE
    )  # fmt: skip
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    try:
        context.set_ciphers(terms.ciphers)
    except ssl.SSLError as error:
        raise CertificateFileError(
            f"tls.ciphers: found {terms.ciphers!r}; allowed: OpenSSL's names of ciphers, as in {CIPHERS}"
        ) from error
    context.num_tickets = terms.tickets
    if not terms.tickets:
        context.options |= ssl.OP_NO_TICKET
    if terms.alpn:
        context.set_alpn_protocols(list(terms.alpn))
    context.sslobject_class = ServedObject
    remember_name(context, context_of)
    load_pair(context, pair)
    if terms.asks != "none":
        load_authorities(context, terms.authorities, terms.authorities_name)
        context.verify_mode = ASKS[terms.asks]
    return context


def remember_name(context: ssl.SSLContext, context_of: ContextOf) -> None:
    """Have this context's connections know the host that they are asked for, and take its certificate."""

    def choose(tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if isinstance(tls, ServedObject):
            tls.server_name = name or ""
        found = context_of(name) if name else None
        if found is not None:
            tls.context = found

    context.sni_callback = choose


def client_context(
    authorities: bytes | None = None,
    *,
    authorities_name: str = "",
    verifies: bool = True,
    alpn: tuple[str, ...] = (HTTP_1,),
    pair: CertificatePair | None = None,
) -> ssl.SSLContext:
    """What a client insists on: a certificate of these authorities (as PEM; None are those that the system
    trusts) for the host that it asks for. Raises: CertificateFileError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # Which early Pythons of 3.11 set: an end without close_notify would be as one with it.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authorities is not None:
        load_authorities(context, authorities, authorities_name)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if pair is not None:
        load_pair(context, pair)
    return context


def load_authorities(context: ssl.SSLContext, pem: bytes, name: str) -> None:
    """Trust certificates. Raises: CertificateFileError."""
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise CertificateFileError(f"{name}: it holds no certificate in PEM form") from error


class _LockedError(Exception):
    """OpenSSL asks for a passphrase."""


def _locked() -> str:
    raise _LockedError


def load_pair(context: ssl.SSLContext, pair: CertificatePair) -> None:
    """Have the context show a certificate. Raises: CertificateFileError."""
    # OpenSSL reads files alone: these have no name, and are gone when they are closed.
    with closing(NamelessFile(pair.certificates)) as certificates, closing(NamelessFile(pair.key)) as key:
        try:
            context.load_cert_chain(certificates.path, key.path, _locked)
        except _LockedError:
            raise CertificateFileError(
                f"{pair.key_name}: the key has a passphrase; store it without, as by openssl pkey -in FILE "
                "-out FILE, and let none but root read it"
            ) from None
        except ssl.SSLError as error:
            raise CertificateFileError(why_not_taken(pair, error)) from error


def why_not_taken(pair: CertificatePair, error: ssl.SSLError) -> str:
    """One line about files that OpenSSL does not take."""
    reason = error.reason or ""
    if b"-----BEGIN CERTIFICATE-----" not in pair.certificates:
        return f"{pair.certificates_name}: it holds no certificate in PEM form"
    if b"PRIVATE KEY-----" not in pair.key:
        return f"{pair.key_name}: it holds no private key in PEM form"
    if reason == "KEY_VALUES_MISMATCH":
        return f"{pair.key_name}: the key is not that of the certificate in {pair.certificates_name}"
    if reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"{pair.certificates_name}: {in_words(reason)}: OpenSSL's security level refuses it"
    return (
        f"{pair.certificates_name} with {pair.key_name}: OpenSSL takes neither for good ({in_words(reason)})"
    )


class NamelessFile:
    """Octets as a file in memory, which has a path as long as it is open. Source: memfd_create(2)."""

    def __init__(self, content: bytes) -> None:
        self._fd = os.memfd_create("pem", os.MFD_CLOEXEC)
        with open(self._fd, "wb", closefd=False) as file:
            file.write(content)

    @property
    def path(self) -> str:
        """Where this process finds it."""
        return f"/proc/self/fd/{self._fd}"

    def close(self) -> None:
        """It is gone."""
        os.close(self._fd)
