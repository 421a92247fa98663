"""The shell lines of README, run as a reader would: by the wheel, where `gossamer examples` wrote.

    gossamer rootless -- python shell_lines.py README.md FOLDER
    gossamer rootless -- python shell_lines.py --planned SERVER FOLDER < PLAN

Runs in a network of its own, so ports and run directories are free. Prints one JSON object: of each line
the exit code and the end of what it said. REPLACED changes what takes long or is the reader's. A plan
(`howto_lines.py`) has lines of another page, in their order: a server runs until the next one begins, and
SERVER where none has.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LINE = re.compile(r"^    ((?:gossamer(?! serves)|locust|kill) .*)$", re.MULTILINE)
COMMENT = re.compile(r"\s{2,}.*|\s+# .*")
REPLACED = (
    (r"\[--stack S\]", "--stack kernel"),
    (r"\[|\]", ""),
    (r"-d 10s", "-d 1s"),
    (r"-t 10s", "-t 2s"),
    (r"100-2000:1m --require 'p99<50ms'", "20-40:2s --require 'p99<30s'"),
    (r"--rate 5000?", "--rate 50"),
    (r"--find 'p99<50ms'", "--find 'p99<5s' --rate 50 -d 1s"),
    (r"(--requests-file .*)", r"\1 -d 1s"),
    (r"--duration 60s --bytes 1GiB", "--duration 5s --bytes 1MiB"),
    (r"--count 100000", "--count 1000 --quick"),
    (r"packetdrill packets", "packetdrill packets/rfc5961"),
    (r"package\.module", "reader.module"),
    (r"password NAME", "password ada <<< secret"),
)
NOT_RUN = {
    "gossamer serve --admin 127.0.0.1:9100": "the server of all others is started with it",
    "gossamer stop": "ends it",
    "gossamer bench compare before.json after.json": "tests/cli/test_bench_compare.py: takes two long runs",
}
UNTIL_CTRL_C = ("gossamer top", "gossamer capture")
APPLICATION = """
from gossamer import Stream


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


async def handler(stream: Stream) -> None:
    async for data in stream:
        await stream.send(data)
"""


def lines(page: str) -> list[str]:
    """The lines that a reader types."""
    return [COMMENT.sub("", found) for found in LINE.findall(page)]


def typed(line: str) -> str:
    """A line as this run types it."""
    for pattern, replacement in REPLACED:
        line = re.sub(pattern, replacement, line)
    return line


def prepare(folder: Path) -> None:
    """What the reader has: an application, a list of requests, two runs to compare."""
    (folder / "reader").mkdir()
    (folder / "reader" / "module.py").write_text(APPLICATION)
    (folder / "targets.txt").write_text("GET http://127.0.0.1:8080/\n")


def ended(process: "subprocess.Popen[str]", number: int) -> tuple[int, str]:
    """End it; its exit code, and what it said."""
    if process.poll() is None:
        process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def start(line: str, folder: str = ".") -> "subprocess.Popen[str]":
    """Start a line in a shell that becomes it."""
    return subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def announced(server: "subprocess.Popen[str]") -> str:
    """What a server says until it serves, or ends."""
    said = ""
    assert server.stdout is not None
    for line in server.stdout:
        said += line
        if line.split()[:1] == ["stop"]:
            break
    return said


def serve(line: str) -> tuple[int, str]:
    """Start a server, and end it once it serves."""
    server = start(line)
    said = announced(server)
    code, rest = ended(server, signal.SIGTERM)
    return (code if "stop" in said else code or 1), said + rest


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """The server that the other lines speak to; its number."""
    with Path("server.log").open("w") as log:
        server = subprocess.Popen(
            ["gossamer", "serve", "www", "--admin", "127.0.0.1:9100", "-w", "1"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    for _ in range(300):
        if "stop " in Path("server.log").read_text() or server.poll() is not None:
            break
        time.sleep(0.1)
    try:
        yield server.pid
    finally:
        server.terminate()
        server.wait(60)


def run(line: str, pid: int) -> tuple[int, str]:
    """Run a line to its end."""
    if line.startswith(UNTIL_CTRL_C):
        process = start(line)
        time.sleep(3)
        code, said = ended(process, signal.SIGINT)
        return (0 if code in (0, 130) else code), said
    done = subprocess.run(
        ["bash", "-c", line.replace("PID", str(pid))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    return done.returncode, done.stdout


def is_server(line: str) -> bool:
    """Whether it is one that serves until it is ended."""
    return re.match(r"gossamer (rootless -- gossamer )?serve (?!.*--check-config)", line) is not None


def in_order(plan: list[tuple[str, str, str]], server: str) -> dict[str, tuple[int, str]]:
    """Run the lines of a plan, each while the server runs that was started last."""
    results: dict[str, tuple[int, str]] = {}
    running: tuple[str, subprocess.Popen[str]] | None = None
    if plan and not is_server(plan[0][1]):
        plan = [(server, server, "."), *plan]
    for line, typed, folder in plan:
        if not is_server(typed):
            results[line] = run(typed, 0)
            continue
        if running:
            results[running[0]] = ended(running[1], signal.SIGTERM)
        running = line, start(typed, folder or ".")
        said = announced(running[1])
        if running[1].poll() is not None or "stop" not in said:
            results[line] = (running[1].wait(30) or 1, said)
            running = None
    if running:
        results[running[0]] = ended(running[1], signal.SIGTERM)
    return results


def show(results: dict[str, tuple[int, str]]) -> None:
    """Print what came of each line."""
    print(json.dumps({line: (code, said[-600:]) for line, (code, said) in results.items()}))


def planned(server: str, folder: str) -> None:
    """Run the plan on standard input."""
    os.chdir(folder)
    show(in_order(json.load(sys.stdin), server))


def main(page: str, folder: str) -> None:
    """Run them all."""
    os.chdir(folder)
    prepare(Path(folder))
    results: dict[str, tuple[int, str]] = {}
    todo = [line for line in lines(Path(page).read_text()) if line not in NOT_RUN]
    servers = [line for line in todo if is_server(line)]
    for line in servers:
        results[line] = serve(typed(line))
    with serving() as pid:
        for name in ("before", "after"):
            run(f"gossamer load http://127.0.0.1:8080/ -c 2 -d 1s -o {name}.json", pid)
        for line in todo:
            if line not in servers and not line.startswith("gossamer examples"):
                results[line] = run(typed(line), pid)
    show(results)


if __name__ == "__main__":
    if sys.argv[1] == "--planned":
        planned(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
