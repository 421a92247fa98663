"""What an ASGI application may know of a connection's TLS: the extension of a scope. Pure.

Owns how a certificate's name is written. The server's own certificate is not told, and of the client's chain
its own alone, which is what Python's `ssl` gives.

Source: ASGI, "TLS Extension" 0.2; RFC 4514.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from gossamer.core.tls.facts import TlsFacts

TLS_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
NAMES: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""RFC 4514 3: the short names of attributes."""
ESCAPED: Final = re.compile(r'["+,;<>\\]| \Z')


def tls_extension(tls: TlsFacts) -> dict[str, Any]:
    """The extension; nothing in it can be changed but itself."""
    shown = tls.peer_certificate_pem
    return {
        "server_cert": None,
        "client_cert_chain": (shown,) if shown else (),
        "client_cert_name": distinguished_name(tls.peer_certificate) if tls.peer_certificate else None,
        "client_cert_error": None,
        "tls_version": TLS_VERSIONS.get(tls.version),
        "cipher_suite": tls.cipher_number or None,
    }


def distinguished_name(certificate: Mapping[str, Any]) -> str:
    """The subject of a certificate, its last part first, and what has a meaning in it escaped (RFC 4514 2).

    >>> print(distinguished_name({"subject": ((("organizationName", "A, B"),), (("commonName", "ada"),))}))
    CN=ada,O=A\\, B
    """
    parts = [
        "+".join(f"{NAMES.get(kind, kind)}={escaped(text)}" for kind, text in part)
        for part in certificate["subject"]
    ]
    return ",".join(reversed(parts))


def escaped(text: str) -> str:
    """A value of a name as RFC 4514 2.4 has it."""
    found = ESCAPED.sub(r"\\\g<0>", text)
    return f"\\{found}" if found[:1] in ("#", " ") else found
