"""wrk, the client that asks for many small answers: its command line, and what it prints.

Owns the script by which it asks for several things at once and prints its figures as JSON. One thread of it
outruns any of these servers. It counts the latency of requests that go out at once from when the first went
to when the last was answered, and that of a connection for each request without the handshake.
"""

import json
import re
from typing import Final

import msgspec

from gossamer.loadtest.servers import ServerError
from gossamer.loadtest.web.sample import Latency

DONE: Final = """
done = function(summary, latency, requests)
  local e = summary.errors
  local form = '{"requests": %d, "duration_us": %d, "errors": %d, "p50": %d, "p99": %d, "p99_9": %d}'
  local errors = e.connect + e.read + e.write + e.timeout + e.status
  io.write("figures " .. string.format(form, summary.requests, summary.duration, errors,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)) .. "\\n")
end
"""
PIPELINE: Final = """
init = function(args)
  local parts = {}
  for i = 1, %d do parts[i] = wrk.format() end
  batch = table.concat(parts)
end
request = function() return batch end
"""
FIGURES: Final = re.compile(r"^figures (\{.*\})$", re.MULTILINE)
NAME: Final = "wrk"


class WrkFigures(msgspec.Struct, frozen=True):
    """What one run of wrk found."""

    requests: int
    seconds: float
    errors: int
    latency: Latency | None
    """None where wrk does not know one: it adds what it takes for omitted, and may then find no rank."""
    cpu_ns: tuple[int, int] | None = None
    """Of server and client, of those who know it better than whoever looks on from their start to their
    end."""


def script(pipeline: int) -> str:
    """The Lua script for so many requests at once; a static request costs wrk least."""
    return (PIPELINE % pipeline if pipeline > 1 else "") + DONE


def wrk_argv(url: str, script_path: str, seconds: int, connections: int, is_closing: bool) -> list[str]:
    """The command line."""
    header = ["-H", "Connection: close"] if is_closing else []
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", script_path]
    return [NAME, *options, *header, url]


def parse_wrk(output: str) -> WrkFigures:
    """What it found. Raises: ServerError when that is not output of wrk with a script of ours."""
    found = FIGURES.search(output)
    if found is None:
        raise ServerError(f"wrk said: {output.strip()[-500:]}")
    figures = json.loads(found[1])
    ranks = (figures["p50"], figures["p99"], figures["p99_9"])
    latency = Latency(*ranks) if all(ranks) else None
    cpu_ns = (figures["server_ns"], figures["client_ns"]) if "server_ns" in figures else None
    return WrkFigures(figures["requests"], figures["duration_us"] / 1e6, figures["errors"], latency, cpu_ns)
