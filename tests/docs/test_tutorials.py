"""Each page of docs/ that teaches programming, done as it is printed."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pages import DOCS, NAME, blocks, commands, run, save_files

PAGES = (
    "adding-a-system-call.md",
    "adding-an-event-source.md",
    "writing-an-event-loop.md",
    "threads.md",
    "asyncio.md",
    "first-server.md",
    "lab-sheets.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_page__its_commands_print_what_it_says(page: str, tmp_path: Path) -> None:
    save_files(page, tmp_path)
    assert commands(page)
    for command in commands(page):
        printed = run(command, tmp_path)
        assert command.is_printed_by(printed), f"$ {command.line}\n{printed}"


@pytest.mark.parametrize("page", PAGES)
def test_page__every_file_is_used_by_another_or_by_a_command(page: str, tmp_path: Path) -> None:
    save_files(page, tmp_path)
    text = (DOCS / page).read_text()
    for path in tmp_path.iterdir():
        uses = (f"$ python {path.name}", f"from {path.stem} import", f"serve {path.stem}:")
        assert any(use in text for use in uses), path.name


@pytest.mark.parametrize("page", PAGES)
def test_page__every_block_is_a_file_or_commands(page: str) -> None:
    """So that each is run: what is neither would only be read."""
    languages = re.findall(r"^```(\w+)$", (DOCS / page).read_text(), re.MULTILINE)
    assert len(languages) == len(blocks(page)), set(languages) - {"python", "console"}
    assert all(NAME.match(text) for kind, text in blocks(page) if kind == "python")


def in_folder(folder: Path, *tool: str) -> "subprocess.CompletedProcess[str]":
    """A tool on a reader's files, with nothing of this repository in its way."""
    return subprocess.run(
        [sys.executable, "-P", "-m", *tool],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in {"MYPYPATH", "PYTHONPATH"}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def strict(folder: Path, *files: str) -> "subprocess.CompletedProcess[str]":
    """mypy as the reader calls it, who has the package installed and no configuration."""
    cache = ["--cache-dir", str(DOCS.parent / ".mypy_cache" / "tutorials")]
    return in_folder(folder, "mypy", "--config-file=", "--strict", *cache, *files)


def test_pages__their_files_are_as_clean_as_ours(tmp_path: Path) -> None:
    """All in one folder, as no page has a file of another's name: one run of each tool is enough."""
    for page in PAGES:
        kept = {path.name for path in tmp_path.iterdir()}
        alone = tmp_path.with_name(page)
        alone.mkdir()
        save_files(page, alone)
        assert kept.isdisjoint(path.name for path in alone.iterdir()), page
        save_files(page, tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    config = str(DOCS.parent / "pyproject.toml")
    for done in (
        strict(tmp_path, *files),
        in_folder(tmp_path, "ruff", "check", "--config", config, *files),
        in_folder(tmp_path, "ruff", "format", "--check", "--config", config, *files),
    ):
        assert done.returncode == 0, done.stdout + done.stderr


def test_types__of_the_installed_package_are_found(tmp_path: Path) -> None:
    """In a folder of its own: what a call returns is known, and a wrong argument is an error."""
    (tmp_path / "typed.py").write_text(
        "from gossamer import Stream, run, sleep, sys_blio\n\n\n"
        "async def handler(stream: Stream) -> None:\n"
        "    reveal_type(await stream.recv())\n"
        "    reveal_type(await sys_blio(len, 'abc'))\n"
        "    await sleep('a second')\n"
    )
    done = strict(tmp_path, "typed.py")
    said = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert said[0].endswith('Revealed type is "bytes"') or said[0].endswith('"builtins.bytes"'), done.stdout
    assert said[1].endswith('Revealed type is "int"') or said[1].endswith('"builtins.int"'), done.stdout
    assert 'Argument 1 to "sleep" has incompatible type "str"; expected "float"' in said[2]


def test_served_handler__takes_its_own_calls(tmp_path: Path) -> None:
    """The last part of docs/adding-a-system-call.md: two clients are paired."""
    save_files("adding-a-system-call.md", tmp_path)
    with served("pairing:handler", tmp_path) as port:
        clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(2)]
        answers = {client.makefile("rb").read() for client in clients}
    assert answers == {b"you are number 0\n", b"you are number 1\n"}


def test_first_server__greets(tmp_path: Path) -> None:
    save_files("first-server.md", tmp_path)
    with (
        served("greeter:handler", tmp_path) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        client.sendall(b"Ada\nGrace\n\n")
        assert client.makefile("rb").read() == b"Hello, Ada!\nHello, Grace!\n"


def test_first_server__a_reload__ends_a_conversation_in_order_and_the_next_meets_the_new_greeter(
    tmp_path: Path,
) -> None:
    save_files("first-server.md", tmp_path)
    with (
        served("greeter:handler", tmp_path) as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as client,
    ):
        client.sendall(b"Ada\n")
        assert client.recv(100) == b"Hello, Ada!\n"
        greeter = tmp_path / "greeter.py"
        greeter.write_text(greeter.read_text().replace("Hello", "Good day"))
        gossamer = str(Path(sys.executable).parent / "gossamer")
        reload = [gossamer, "reload", "--run-dir", str(tmp_path / "run")]
        subprocess.run(reload, check=True, capture_output=True, timeout=60)
        assert client.recv(100) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=30) as another:
            another.sendall(b"Grace\n")
            assert another.recv(100) == b"Good day, Grace!\n"


def test_first_server__the_times_it_tells__are_so(tmp_path: Path) -> None:
    save_files("first-server.md", tmp_path)
    program = tmp_path / "try_greeter.py"
    program.write_text(program.read_text().replace("loss=0.2", "loss=0"))
    said = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.splitlines()[0] == "0.100 s: Hello, Ada!"


@contextlib.contextmanager
def served(target: str, folder: Path) -> Iterator[int]:
    """A server of a page's handler on kernel sockets; its port."""
    gossamer = str(Path(sys.executable).parent / "gossamer")
    run_dir = ["--run-dir", str(folder / "run")]
    options = ["--stack", "kernel", "--port", "0", "--workers", "1", *run_dir]
    server = subprocess.Popen([gossamer, "serve", target, *options], cwd=folder)
    try:
        for _ in range(200):
            shown = subprocess.run(
                [gossamer, "status", "--json", *run_dir], capture_output=True, timeout=20, check=False
            )
            status = json.loads(shown.stdout) if shown.returncode == 0 else {"workers": []}
            if any(worker["state"] == "serving" for worker in status["workers"]):
                yield int(status["port"])
                return
        raise AssertionError("not serving")
    finally:
        server.terminate()
        server.wait(20)
