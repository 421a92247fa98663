"""A certificate for tests over TLS."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for "localhost" that it has signed itself, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, found = folder / "key.pem", folder / "certificate.pem"
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", *asked.split(), *names, "-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True)
    found.write_bytes(found.read_bytes() + key.read_bytes())
    return found
