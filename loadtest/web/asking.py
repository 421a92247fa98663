"""How one row is asked of one server, and the sample that comes of it.

Owns which client does which work, and the files that it needs.
"""

from pathlib import Path
from typing import Final

from gossamer.loadtest.servers import Place, Server, ServerError
from gossamer.loadtest.web.curl import curl_argv, parse_curl
from gossamer.loadtest.web.measuring import Usage, measure, run_client
from gossamer.loadtest.web.rows import BULK, LARGE, LARGE_BYTES, MB, SMALL, SMALL_BYTES, AskedRow
from gossamer.loadtest.web.sample import WebSample
from gossamer.loadtest.web.wrk import parse_wrk, script, wrk_argv

BYTE: Final = b"g"
"""All bodies consist of it."""
PIECE_BYTES: Final = 1 << 20
CHECK_SECONDS: Final = 5


def write_files(site: Path, bulk_bytes: int) -> None:
    """What is asked for, and what is sent up. Raises: OSError."""
    site.mkdir()
    for path in (site, site.parent):
        path.chmod(0o755)
    for name, length in ((SMALL, SMALL_BYTES), (LARGE, LARGE_BYTES), (BULK, bulk_bytes)):
        with file_of(site, name).open("wb") as file:
            for start in range(0, length, PIECE_BYTES):
                file.write(BYTE * min(PIECE_BYTES, length - start))


def file_of(site: Path, path: str) -> Path:
    """The file that a path names."""
    return site / path.strip("/")


def write_script(folder: Path, pipeline: int) -> Path:
    """The script for wrk."""
    path = folder / f"pipeline-{pipeline}.lua"
    path.write_text(script(pipeline))
    return path


def argv_of(row: AskedRow, url: str, seconds: int, folder: Path) -> list[str]:
    """The client's command line."""
    if row.work == "ask":
        return wrk_argv(
            url, str(write_script(folder, row.pipeline)), seconds, row.connections, row.is_closing
        )
    return curl_argv(url, seconds, str(file_of(folder / "site", BULK)) if row.work == "upload" else "")


def ask(row: AskedRow, server: Server, client: Place, host: str, seconds: int, folder: Path) -> WebSample:
    """One sample. Raises: ServerError, OSError."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{server.port}{row.path}"
    return sample_of(row, measure(client, server, argv_of(row, url, seconds, folder), seconds))


def sample_of(row: AskedRow, usage: Usage) -> WebSample:
    """The sample that a client's output stands for. Raises: ServerError when nothing was answered."""
    if row.work == "ask":
        asked = parse_wrk(usage.output)
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
        usage.server_ns,
        usage.client_ns,
        usage.machine_us,
        usage.peak_rss_bytes,
        latency,
    )


def check_answers(place: Place, server: Server) -> None:
    """A server that answers anything else would be measured for nothing. Raises: ServerError."""
    for path, length in ((SMALL, SMALL_BYTES), (LARGE, LARGE_BYTES)):
        url = f"http://127.0.0.1:{server.port}{path}"
        said = run_client(place, ["curl", "-sSg", "--max-time", str(CHECK_SECONDS), url], CHECK_SECONDS)
        if said.encode() != BYTE * length:
            raise ServerError(f"{path}: {len(said)} octets came, not the {length} of the file")
