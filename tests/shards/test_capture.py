"""`gossamer capture` of a server: on the functional TCP packets with reasons, on kernel sockets a line."""

import subprocess
from pathlib import Path

from gossamer.loadtest.capture import Capture, missing_requirement

from .conftest import GOSSAMER, Place, wait_until


def test_capture__a_request__every_packet_of_it(place: Place, tmp_path: Path) -> None:
    server, path = place.start("--workers", "1").wait_ready(), tmp_path / "c.pcapng"
    if place.stack == "kernel":
        done = server.command("capture", str(path))
        assert done.returncode == 1
        assert "runs on kernel sockets, which tcpdump can see" in done.stderr
        return
    argv = [
        *server.prefix,
        GOSSAMER,
        "capture",
        "--run-dir",
        str(server.directory),
        "--packets",
        "4",
        str(path),
    ]
    capturing = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: "are captured" in server.log(), "the capture begins")
    with place.connect(server.port()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200")
    output, _ = capturing.communicate(timeout=60)
    assert output == f"4 packets in {path}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    if missing_requirement() is None:
        found = Capture(path).fields(["frame.packet_flags_direction", "tcp.flags.str", "frame.comment"])
        assert [line[0][-1] for line in found[:3]] == ["1", "2", "1"]
        assert "S" in found[0][1]
        assert "3.10.7.2" in found[1][2]
    # Its reader has left: the next packet ends it, and the server goes on.
    with place.connect(server.port()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200")
