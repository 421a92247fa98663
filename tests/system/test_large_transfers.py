"""Large bodies through the functional TCP, over a good link and over a bad one, each checked by SHA-256.

The sizes are the ones that a user would meet: 1 GiB when nothing is lost, 100 MiB when the link loses,
reorders, duplicates and corrupts both ways.
"""

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.linked import LinkTotals, linked
from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.servers import Gossamer

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
MIB = 1 << 20
ALL = "GOSSAMER_INTEROP" in os.environ
GOOD_MIB = 1024 if ALL else 64
BAD_MIB = 100 if ALL else 10
PORT = 7811
SEED = 20070611
BAD = LinkFaults(loss=0.02, reorder=0.02, duplicate=0.01, corrupt=0.002)
DIGEST = "gossamer.shards.web.digest:handler"
Start = Callable[..., Gossamer]


@pytest.fixture(autouse=True)
def nothing_large_is_kept(tmp_path: Path) -> Iterator[None]:
    """pytest keeps the folders of its last runs; these files would be gigabytes."""
    yield
    for path in tmp_path.rglob("big.bin"):
        path.unlink()


def write_file(path: Path, mebibytes: int) -> str:
    """A file whose every MiB is another; its SHA-256."""
    digest, block = hashlib.sha256(), hashlib.sha256(b"block").digest() * (MIB // 32 - 1)
    with path.open("wb") as file:
        for number in range(mebibytes):
            written = hashlib.sha256(number.to_bytes(8, "big")).digest() + block
            digest.update(written)
            file.write(written)
    path.chmod(0o644)
    return digest.hexdigest()


def download_digest(space: Namespace, url: str, seconds: int) -> str:
    """What curl receives, as a digest; the body never touches the disk."""
    curl = space.start(["curl", "-sS", "--fail", "--max-time", str(seconds), url], stdout=subprocess.PIPE)
    assert curl.stdout is not None
    digest = hashlib.sha256()
    with curl.stdout as body:
        while data := body.read(MIB):
            digest.update(data)
    assert curl.wait(10) == 0
    return digest.hexdigest()


def upload_answer(space: Namespace, path: Path, url: str, seconds: int) -> str:
    """What the server says to a PUT of a file."""
    argv = ["curl", "-sS", "--fail", "--max-time", str(seconds), "-T", str(path), url]
    return space.run(argv, timeout_s=seconds + 10)


def report(what: str, mebibytes: int, started: float) -> None:
    """Print the speed (seen with pytest -s, and when the test fails)."""
    seconds = time.monotonic() - started
    print(f"{what}: {mebibytes} MiB in {seconds:.1f} s = {mebibytes / seconds:.1f} MiB/s")


def assert_faults_happened(counts: LinkTotals) -> None:
    """The link did what it was asked for, both ways."""
    for way in (counts.forth, counts.back):
        print(way)
        assert way.lost_total > 0.01 * way.received_total
        assert min(way.reordered_total, way.duplicated_total, way.corrupted_total) > 0


def test_download__large_file_on_a_good_link__right_digest(
    joined_namespaces: tuple[Namespace, Namespace], folder: Path, start: Start
) -> None:
    left, right = joined_namespaces
    expected = write_file(folder / "big.bin", GOOD_MIB)
    start(right, folder, stack="nfqueue", port=PORT)
    started = time.monotonic()
    assert download_digest(left, f"http://{RIGHT_V4}:{PORT}/big.bin", seconds=120) == expected
    report("download", GOOD_MIB, started)


def test_upload__large_file_on_a_good_link__right_digest(
    joined_namespaces: tuple[Namespace, Namespace], tmp_path: Path, start: Start
) -> None:
    left, right = joined_namespaces
    expected = write_file(tmp_path / "big.bin", GOOD_MIB)
    start(right, DIGEST, stack="nfqueue", port=PORT)
    started = time.monotonic()
    assert expected in upload_answer(left, tmp_path / "big.bin", f"http://{RIGHT_V4}:{PORT}/x", seconds=120)
    report("upload", GOOD_MIB, started)


@pytest.mark.needs("tun")
def test_download__file_on_a_bad_link__right_digest(
    namespace_pair: tuple[Namespace, Namespace], folder: Path, start: Start
) -> None:
    """A large one over IPv4, a smaller one over IPv6."""
    left, right = namespace_pair
    (folder / "small").mkdir(mode=0o755)
    with linked(left, right, BAD, SEED) as link:
        start(right, folder, stack="nfqueue", port=PORT, host="::")
        for host, path, size in (
            (RIGHT_V4, "big.bin", BAD_MIB),
            (f"[{RIGHT_V6}]", "small/big.bin", max(1, BAD_MIB // 10)),
        ):
            expected = write_file(folder / path, size)
            started = time.monotonic()
            digest = download_digest(left, f"http://{host}:{PORT}/{path}", seconds=100)
            assert digest == expected, host
            report(f"download, bad link, {host}", size, started)
        assert_faults_happened(link.close())


@pytest.mark.needs("tun")
def test_upload__file_on_a_bad_link__right_digest(
    namespace_pair: tuple[Namespace, Namespace], tmp_path: Path, start: Start
) -> None:
    left, right = namespace_pair
    expected = write_file(tmp_path / "big.bin", BAD_MIB)
    with linked(left, right, BAD, SEED) as link:
        start(right, DIGEST, stack="nfqueue", port=PORT)
        started = time.monotonic()
        url = f"http://{RIGHT_V4}:{PORT}/x"
        assert expected in upload_answer(left, tmp_path / "big.bin", url, seconds=100)
        report("upload, bad link", BAD_MIB, started)
        assert_faults_happened(link.close())
