"""Both packet receivers, from end to end: the netlink one and the NetfilterQueue package."""

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import RIGHT_V4, Namespace
from gossamer.loadtest.servers import Gossamer

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7871
UPLOAD = hashlib.sha256(b"upload").digest() * 32_768
Start = Callable[..., Gossamer]


@pytest.fixture(params=["netlink", "netfilterqueue"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each receiver in turn."""
    if request.param == "netfilterqueue" and importlib.util.find_spec("netfilterqueue") is None:
        pytest.skip("needs the package NetfilterQueue (pip install gossamer[nfqueue])")
    return str(request.param)


def test_download__two_workers__right_digest(
    namespace: Namespace, site: Path, files: dict[str, bytes], tmp_path: Path, start: Start, backend: str
) -> None:
    start(namespace, site, "--nfqueue-backend", backend, stack="nfqueue", workers=2, port=PORT)
    body = tmp_path / "body"
    for _ in range(6):
        url = f"http://127.0.0.1:{PORT}/large.bin"
        namespace.run(["curl", "-sS", "--fail", "--max-time", "20", "-o", str(body), url])
        assert body.read_bytes() == files["large.bin"]


def test_upload__1_mib_on_loopback_and_between_hosts__right_digest(
    joined_namespaces: tuple[Namespace, Namespace], tmp_path: Path, start: Start, backend: str
) -> None:
    left, right = joined_namespaces
    start(
        right, "gossamer.shards.web.digest:handler", "--nfqueue-backend", backend, stack="nfqueue", port=PORT
    )
    for space, host in ((right, "127.0.0.1"), (left, RIGHT_V4)):
        assert hashlib.sha256(UPLOAD).hexdigest() in upload(space, tmp_path, host), host


def upload(space: Namespace, folder: Path, host: str) -> str:
    """What the server says to the PUT of a file."""
    path = folder / "upload"
    path.write_bytes(UPLOAD)
    return space.run(
        ["curl", "-sS", "--fail", "--max-time", "20", "-T", str(path), f"http://{host}:{PORT}/x"]
    )
