"""Where the access log goes: a file that is moved away and opened again, a descriptor; on both stacks."""

import json
import os
import signal
from pathlib import Path

import pytest

from gossamer.shards.exitcode import ConfigError
from gossamer.shards.log.log_file import is_file, open_log

from ..conftest import Place, wait_until
from ..test_site_changes import get


def test_file__reopened_on_usr1__no_line_lost(place: Place, tmp_path: Path) -> None:
    current, old = tmp_path / "access.log", tmp_path / "access.log.1"
    options = ("--access-log", "--access-log-file", str(current), "--access-log-format", "json")
    server = place.start("--workers", "1", *options).wait_ready()
    port = server.port()
    get(place, port, "/?1", "X-Forwarded-For: 192.0.2.1")
    first = json.loads(wait_until(current.read_bytes, "a line"))
    assert (first["target"], first["stack"], first["client"]) == ("/?1", place.stack, "127.0.0.1")
    assert first["duration_us"] >= 0
    current.rename(old)
    server.process.send_signal(signal.SIGUSR1)
    wait_until(current.exists, "the file, made again")
    get(place, port, "/?2")
    wait_until(lambda: b"/?2" in current.read_bytes() + old.read_bytes(), "the second line")
    get(place, port, "/?3")
    wait_until(lambda: b"/?3" in current.read_bytes(), "lines in the new file")
    assert "there is no log file" not in server.log()


def test_open_log__a_descriptor__of_our_own(tmp_path: Path) -> None:
    theirs = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    fd = open_log(f"fd:{theirs}")
    os.close(theirs)
    os.write(fd, b"line\n")
    os.close(fd)
    assert (tmp_path / "log").read_bytes() == b"line\n"


def test_open_log__impossible__one_line_with_the_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for place in (str(tmp_path), str(tmp_path / "absent" / "log"), str(tmp_path / "fifo"), "fd:999999"):
        with pytest.raises(ConfigError, match=r"^log\.access_log_file: found .* fd:N for a descriptor"):
            open_log(place)


def test_is_file() -> None:
    assert [is_file(place) for place in ("", "fd:3", "a.log", "fd:x")] == [False, False, True, True]
