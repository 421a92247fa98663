"""A load generator: so many connections each ask a server again and again, for so long; then what came of it.

    python examples/load_generator.py http://127.0.0.1:8080/ --connections 64 --seconds 10

A template for protocols of your own: put another `ask` in. For HTTP in full there is `gossamer load`.
"""

import argparse
import re
import time
from collections import Counter
from urllib.parse import urlsplit

import gossamer

REQUEST_SECONDS = 5
PAUSE_SECONDS = 0.1  # after a failure, so that a server that is gone is not asked a million times
ANSWER_BYTES_MAX = 1 << 20

LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)


class Tally:
    """What came of the requests; times in steps of 0.1 ms, a bounded table however long it runs."""

    def __init__(self) -> None:
        self.tenths_ms: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()

    def percentile_ms(self, percent: float) -> float:
        left = self.tenths_ms.total() * percent / 100
        for tenths_ms, count in sorted(self.tenths_ms.items()):
            left -= count
            if left <= 0:
                return tenths_ms / 10
        return 0.0


async def ask(stream: gossamer.Stream, reader: gossamer.BufferedReader, request: bytes) -> str:
    """One request and its answer; the status, such as "200"."""
    await stream.send(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    await reader.readexactly(int(length[1]) if length else 0)
    return head.split(b" ", 2)[1].decode("ascii", "replace")


async def ask_again_and_again(host: str, port: int, request: bytes, tally: Tally) -> None:
    """One connection, opened anew whenever it fails; ended by being cancelled."""
    while True:
        try:
            async with await gossamer.open_connection(host, port) as stream:
                reader = gossamer.BufferedReader(stream, ANSWER_BYTES_MAX)
                while True:
                    began = time.perf_counter()
                    with gossamer.fail_after(REQUEST_SECONDS):
                        status = await ask(stream, reader, request)
                    if status == "200":
                        tally.tenths_ms[round((time.perf_counter() - began) * 10_000)] += 1
                    else:
                        tally.errors[f"status {status}"] += 1
        except (OSError, gossamer.GossamerError) as error:
            tally.errors[type(error).__name__] += 1
            await gossamer.sleep(PAUSE_SECONDS)


async def main(url: str, connections: int, seconds: float) -> None:
    parts = urlsplit(url)
    host, port, tally = parts.hostname or "127.0.0.1", parts.port or 80, Tally()
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with gossamer.move_on_after(seconds):
        async with gossamer.open_nursery() as nursery:
            for _ in range(connections):
                nursery.start_soon(ask_again_and_again, host, port, request, tally)
    count = tally.tenths_ms.total()
    print(f"{count} answers, {count / seconds:.0f} a second")
    print(*(f"{percent} %: {tally.percentile_ms(percent)} ms" for percent in (50, 95, 99)), sep=", ")
    print("errors:", ", ".join(f"{kind} {count}" for kind, count in tally.errors.items()) or "none")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask a server again and again.")
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    gossamer.run(main(arguments.url, arguments.connections, arguments.seconds))
