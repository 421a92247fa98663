"""The certificates of the tests (`tests/pems`), as files and as what is made of them."""

import ssl
from pathlib import Path
from typing import Any

from gossamer.core.tls.context import client_context, server_context
from gossamer.core.tls.terms import CertificatePair, ServerTerms

PEMS = Path(__file__).parent / "pems"
CA = PEMS / "ca.pem"
AUTHORITY = CA.read_bytes()


def pair(name: str) -> CertificatePair:
    """A certificate with its key."""
    files = PEMS / f"{name}.pem", PEMS / f"{name}.key"
    return CertificatePair(*(file.read_bytes() for file in files), *(file.name for file in files))


def serving(name: str = "server", **terms: Any) -> ssl.SSLContext:
    """What a server has."""
    return server_context(pair(name), ServerTerms(**terms))


def asking(**terms: Any) -> ssl.SSLContext:
    """What a client has that trusts the authority of the tests."""
    return client_context(AUTHORITY, **terms)
