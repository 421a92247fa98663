"""A served folder that changes as builds and deployments change it, on both stacks: nobody has to reload."""

import os
import shutil
import time
from pathlib import Path

import pytest

from gossamer.core.http.client import Response, ResponseReader

from .conftest import Place, wait_until


def get(
    place: Place, port: int, target: str = "/", *fields: str, method: str = "GET"
) -> tuple[Response, bytes]:
    """One request over a connection of its own."""
    reader = ResponseReader()
    with place.connect(port) as client:
        lines = [f"{method} {target} HTTP/1.1", "Host: a", "Connection: close", *fields]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while data := client.recv(65536):
            reader.receive(data)
        reader.receive(b"")
    response = reader.next_response(method)
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


def test_folder__rebuilt_pointed_elsewhere_removed_and_back__served_as_it_is(
    place: Place, tmp_path: Path
) -> None:
    """One server of two workers, whose folder is what a link leads to."""
    build(tmp_path / "release-1", b"old\n")
    build(tmp_path / "release-2", b"two\n")
    current, further = tmp_path / "current", tmp_path / "further"
    current.symlink_to("release-1")
    build(further, b"further\n")
    sites = f'web.sites={{"*.b.example" = "{further}"}}'
    server = place.start("--set", sites, target=str(current), workers="2").wait_ready()
    port, pids = server.port(), server.worker_pids()
    rebuilt_with_fixed_times_has_a_new_etag(place, port, tmp_path / "release-1")
    link_pointed_elsewhere_is_the_new_tree(place, port, tmp_path)
    folders_removed_and_built_again_are_served(place, port, tmp_path / "release-2", further)
    folder_gone_for_a_while_is_served_once_it_is_back(place, port, tmp_path / "release-2")
    assert server.worker_pids() == pids, "no worker was replaced for it"


def all_workers_serve(place: Place, port: int, content: bytes) -> None:
    wait_until(lambda: all(get(place, port)[1] == content for _ in range(24)), content.decode(), 5)


def rebuilt_with_fixed_times_has_a_new_etag(place: Place, port: int, folder: Path) -> None:
    old, body = get(place, port)
    assert body == b"old\n"
    build(folder, b"new\n")
    all_workers_serve(place, port, b"new\n")
    for condition in ("If-None-Match", "If-Range"):
        again, body = get(place, port, "/", f"{condition}: {old.field('etag')}", "Range: bytes=1-")
        expected = (206, b"ew\n") if condition == "If-None-Match" else (200, b"new\n")
        assert (again.status, body) == expected, condition


def link_pointed_elsewhere_is_the_new_tree(place: Place, port: int, folder: Path) -> None:
    following = folder / "following"
    following.symlink_to("release-2")
    following.rename(folder / "current")
    all_workers_serve(place, port, b"two\n")


def folders_removed_and_built_again_are_served(place: Place, port: int, folder: Path, further: Path) -> None:
    assert get(place, port, "http://a.b.example/")[1] == b"further\n"
    for each, content in ((further, b"new further\n"), (folder, b"three\n")):
        shutil.rmtree(each)
        build(each, content)
    all_workers_serve(place, port, b"three\n")
    wait_until(lambda: get(place, port, "http://a.b.example/")[1] == b"new further\n", "the new site", 5)


def folder_gone_for_a_while_is_served_once_it_is_back(place: Place, port: int, folder: Path) -> None:
    folder.rename(folder.with_name("gone"))
    shutil.rmtree(folder.with_name("gone"))
    time.sleep(1.2)
    assert get(place, port)[0].status in (403, 404)
    build(folder, b"back\n")
    all_workers_serve(place, port, b"back\n")


@pytest.mark.needs("another-user")
def test_folder_that_the_workers_may_not_enter__told_at_the_start(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    build(folder, b"mine\n")
    folder.chmod(0o700)
    server = place.start("--user", "nobody", target=str(folder))
    assert server.wait_end() == 2
    assert f"TARGET {folder}: the workers' user may not enter it" in server.log()
    assert "Traceback" not in server.log()
