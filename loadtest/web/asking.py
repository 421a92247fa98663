"""How one row is asked of one server, and the sample that comes of it.

Owns which client does which work, and the files that it needs.
"""

import subprocess
from pathlib import Path
from typing import Final

from gossamer.loadtest.cpu import tree
from gossamer.loadtest.servers import KeyFiles, Place, Server, ServerError
from gossamer.loadtest.web.curl import curl_argv, parse_curl
from gossamer.loadtest.web.echo_client import echo_argv
from gossamer.loadtest.web.measuring import Usage, measure, run_client
from gossamer.loadtest.web.rows import BULK, LARGE, LARGE_BYTES, MB, SMALL, SMALL_BYTES, AskedRow
from gossamer.loadtest.web.sample import WebSample
from gossamer.loadtest.web.wrk import parse_wrk, script, wrk_argv

BYTE: Final = b"g"
"""All bodies consist of it."""
PIECE_BYTES: Final = 1 << 20
CHECK_SECONDS: Final = 5
KEY_ARGV: Final = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=bench"
KEY_SECONDS: Final = 30


def write_files(site: Path, bulk_bytes: int) -> None:
    """What is asked for, and what is sent up. Raises: OSError."""
    site.mkdir()
    for path in (site, site.parent):
        path.chmod(0o755)
    for name, length in ((SMALL, SMALL_BYTES), (LARGE, LARGE_BYTES), (BULK, bulk_bytes)):
        with file_of(site, name).open("wb") as file:
            for start in range(0, length, PIECE_BYTES):
                file.write(BYTE * min(PIECE_BYTES, length - start))


def write_keys(folder: Path) -> KeyFiles:
    """A certificate that nobody has signed but itself. Raises: ServerError, OSError."""
    keys = KeyFiles(folder / "certificate.pem", folder / "key.pem")
    argv = [*KEY_ARGV.split(), "-keyout", str(keys.key), "-out", str(keys.certificate)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=KEY_SECONDS, check=False)
    if done.returncode:
        raise ServerError(f"openssl said: {done.stderr.strip()[-500:]}")
    return keys


def file_of(site: Path, path: str) -> Path:
    """The file that a path names."""
    return site / path.strip("/")


def write_script(folder: Path, pipeline: int) -> Path:
    """The script for wrk."""
    path = folder / f"pipeline-{pipeline}.lua"
    path.write_text(script(pipeline))
    return path


def argv_of(row: AskedRow, server: Server, host: str, seconds: int, folder: Path) -> list[str]:
    """The client's command line."""
    if row.work == "echo":
        return echo_argv(host, server.port, seconds, row.connections, tree(server.process.pid))
    url = f"{url_of(server, host)}{row.path}"
    if row.work == "ask":
        return wrk_argv(
            url, str(write_script(folder, row.pipeline)), seconds, row.connections, row.is_closing
        )
    return curl_argv(url, seconds, str(file_of(folder / "site", BULK)) if row.work == "upload" else "")


def ask(row: AskedRow, server: Server, client: Place, host: str, seconds: int, folder: Path) -> WebSample:
    """One sample. Raises: ServerError, OSError."""
    return sample_of(row, measure(client, server, argv_of(row, server, host, seconds, folder), seconds))


def url_of(server: Server, host: str) -> str:
    """Its root."""
    scheme = "https" if server.is_encrypted else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"


def sample_of(row: AskedRow, usage: Usage) -> WebSample:
    """The sample that a client's output stands for. Raises: ServerError when nothing was answered."""
    cpu_ns = usage.server_ns, usage.client_ns
    if row.has_latency:
        asked = parse_wrk(usage.output)
        cpu_ns = asked.cpu_ns or cpu_ns
        units, seconds, errors, latency = asked.requests / 1, asked.seconds, asked.errors, asked.latency
    else:
        carried = parse_curl(usage.output, row.work == "upload")
        units, seconds, errors, latency = carried.carried_bytes / MB, carried.seconds, 0, None
    if units <= 0 or seconds <= 0:
        raise ServerError("nothing was answered")
    return WebSample(
        units,
        errors,
        seconds,
        *cpu_ns,
        usage.machine_us,
        usage.peak_rss_bytes,
        latency,
    )


def check_answers(place: Place, server: Server) -> None:
    """A server that answers anything else would be measured for nothing. Raises: ServerError."""
    for path, length in ((SMALL, SMALL_BYTES), (LARGE, LARGE_BYTES)):
        url = f"{url_of(server, '127.0.0.1')}{path}"
        said = run_client(place, ["curl", "-sSgk", "--max-time", str(CHECK_SECONDS), url], CHECK_SECONDS)
        if said.encode() != BYTE * length:
            raise ServerError(f"{path}: {len(said)} octets came, not the {length} of the file")
