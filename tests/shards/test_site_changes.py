"""A served folder that changes as builds and deployments change it, on both stacks: nobody has to reload."""

import os
import shutil
import time
from pathlib import Path

import pytest

from gossamer.core.http.client import Response, ResponseReader

from .conftest import Place, wait_until


def get(place: Place, port: int, target: str = "/", *fields: str) -> tuple[Response, bytes]:
    """One request over a connection of its own."""
    reader = ResponseReader()
    with place.connect(port) as client:
        lines = [f"GET {target} HTTP/1.1", "Host: a", "Connection: close", *fields]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while data := client.recv(65536):
            reader.receive(data)
        reader.receive(b"")
    response = reader.next_response()
    assert response is not None
    body = b""
    while part := reader.next_body():
        body += part
    return response, body


def build(folder: Path, content: bytes) -> None:
    """A site as builds with fixed times make it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_bytes(content)
    os.utime(folder / "index.html", (1, 1))


def test_rebuilt_with_fixed_times__new_content_under_a_new_etag(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "fixed"
    build(folder, b"old\n")
    port = place.start("--workers", "1", target=str(folder)).wait_ready().port()
    old, body = get(place, port)
    assert body == b"old\n"
    build(folder, b"new\n")
    wait_until(lambda: get(place, port)[1] == b"new\n", "the new content", 5)
    again, body = get(place, port, "/", f"If-None-Match: {old.field('etag')}")
    assert (again.status, body) == (200, b"new\n")


def test_folder_removed_and_built_again__served_without_a_word(place: Place, tmp_path: Path) -> None:
    folder, further = tmp_path / "dist", tmp_path / "further"
    build(folder, b"old\n")
    build(further, b"further\n")
    sites = f'web.sites={{"*.b.example" = "{further}"}}'
    server = place.start("--workers", "2", "--set", sites, target=str(folder)).wait_ready()
    port, pids = server.port(), server.worker_pids()
    assert get(place, port)[1] == b"old\n"
    assert get(place, port, "http://a.b.example/")[1] == b"further\n"
    for each, content in ((further, b"new further\n"), (folder, b"new\n")):
        shutil.rmtree(each)
        build(each, content)
    wait_until(lambda: all(get(place, port)[1] == b"new\n" for _ in range(8)), "the new folder", 5)
    wait_until(lambda: get(place, port, "http://a.b.example/")[1] == b"new further\n", "the new site", 5)
    assert server.worker_pids() == pids, "no worker was replaced for it"


def test_link_pointed_elsewhere__the_new_tree(place: Place, tmp_path: Path) -> None:
    build(tmp_path / "release-1", b"one\n")
    build(tmp_path / "release-2", b"two\n")
    current = tmp_path / "current"
    current.symlink_to("release-1")
    port = place.start("--workers", "2", target=str(current)).wait_ready().port()
    assert get(place, port)[1] == b"one\n"
    following = tmp_path / "following"
    following.symlink_to("release-2")
    following.rename(current)
    wait_until(lambda: all(get(place, port)[1] == b"two\n" for _ in range(8)), "the new tree", 5)


def test_folder_gone_for_a_while__served_once_it_is_back(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    build(folder, b"old\n")
    port = place.start("--workers", "1", target=str(folder)).wait_ready().port()
    folder.rename(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    time.sleep(1.2)
    assert get(place, port)[0].status in (403, 404)
    build(folder, b"new\n")
    wait_until(lambda: get(place, port)[1] == b"new\n", "the new folder", 5)


@pytest.mark.needs("another-user")
def test_folder_that_the_workers_may_not_enter__told_at_the_start(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    build(folder, b"mine\n")
    folder.chmod(0o700)
    server = place.start("--workers", "1", "--user", "nobody", target=str(folder))
    assert server.wait_end() == 2
    assert f"TARGET {folder}: the workers' user may not enter it" in server.log()
    assert "Traceback" not in server.log()
