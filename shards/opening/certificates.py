"""The certificates and keys of [tls], read from their files, and what is made of them.

The supervisor reads them, since the user that workers become may not; workers get them with their plan. So
one that is started in place of a dead one serves what the others serve, whatever stands in the files
meanwhile: what is new there is served from the next reload on.

Owns how files become a record, and the wording of what is wrong with one.
"""

import ssl
from pathlib import Path
from typing import Final

from gossamer.core.tls.context import server_context
from gossamer.core.tls.errors import CertificateFileError
from gossamer.core.tls.terms import CertificatePair, ServedCertificates, ServerTerms
from gossamer.shards.configuration.config import Config, TlsConfig
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.web.application_name import is_application_name
from gossamer.shards.web.hosts import Hosts

HTTP_2: Final = "h2"
"""RFC 9113 3.1."""
FILE_BYTES_MAX: Final = 1 << 20


def protocols(config: Config) -> tuple[str, ...]:
    """What is offered (ALPN), HTTP/2 too where it is spoken. Raises: ConfigError where it only is named.

    A native handler offers what it likes: nobody else knows what it speaks.
    """
    named, is_folder = tuple(config.tls.alpn), not is_application_name(config.server.target)
    if config.web.http2:
        return (HTTP_2, *(name for name in named if name != HTTP_2))
    if HTTP_2 in named and (is_folder or config.mount):
        raise ConfigError(
            f"tls.alpn: found {HTTP_2!r}; allowed: what is spoken here, which HTTP/2 is with web.http2 = true"
        )
    return named


def read_certificates(config: TlsConfig, alpn: tuple[str, ...]) -> ServedCertificates:
    """What [tls] names, tried out. Raises: ConfigError, in one line."""
    authorities = read_pem("tls.ca_certs", config.ca_certs) if config.ca_certs else b""
    found = ServedCertificates(
        first=read_pair("tls.certfile", config.certfile, "tls.keyfile", config.keyfile),
        by_host={
            host: read_pair(key := f"tls.certificates {host}", paths[0], key, *paths[1:])
            for host, paths in config.certificates.items()
        },
        terms=ServerTerms(
            version_min=config.version_min,
            ciphers=config.ciphers,
            alpn=alpn,
            tickets=config.session_tickets,
            authorities=authorities,
            authorities_name=f"tls.ca_certs {config.ca_certs}",
            asks=config.cert_reqs,
        ),
        handshake_timeout_us=config.handshake_timeout_us,
    )
    context_of(found)
    return found


def read_pair(certificates_key: str, certificates: str, key_key: str, key: str = "") -> CertificatePair:
    """A certificate and its key, of one file or two. Raises: ConfigError."""
    content = read_pem(certificates_key, certificates)
    if not key:
        return CertificatePair(content, content, *[f"{certificates_key} {certificates}"] * 2)
    return CertificatePair(
        content, read_pem(key_key, key), f"{certificates_key} {certificates}", f"{key_key} {key}"
    )


def read_pem(key: str, path: str) -> bytes:
    """The octets of a file. Raises: ConfigError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{key} {path}: {why}; allowed: a PEM file that you may read") from error
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(f"{key} {path}: found more than {FILE_BYTES_MAX} bytes; allowed: a PEM file")
    return content


def context_of(certificates: ServedCertificates) -> ssl.SSLContext:
    """The context that every connection begins with; it hands over to those of other hosts.

    Raises: ConfigError.
    """
    try:
        others = {
            host: server_context(pair, certificates.terms) for host, pair in certificates.by_host.items()
        }
        hosts: Hosts[ssl.SSLContext | None] = Hosts(None, others)
        return server_context(certificates.first, certificates.terms, hosts.find)
    except CertificateFileError as error:
        raise ConfigError(str(error)) from error
