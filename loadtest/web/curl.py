"""curl, the client that carries one large body down or up: its command line, and what it prints.

A transfer ends when it is whole, or after its time: then what was carried until there counts. (Of an upload
that ended so, the last megabyte or two may be with the client's kernel still.)
"""

import json
from typing import Final

import msgspec

from gossamer.loadtest.servers import ServerError

WRITE_OUT: Final = (
    '{"code": "%{response_code}", "down": %{size_download}, "up": %{size_upload}, "seconds": %{time_total}, '
    '"exit": %{exitcode}}'
)
TIME_IS_OVER: Final = 28
"""Source: curl(1), exit codes."""
OK: Final = "200"
NO_ANSWER: Final = "000"
"""Yet: an upload is answered at its end."""
NAME: Final = "curl"


class CurlFigures(msgspec.Struct, frozen=True):
    """What one transfer carried."""

    carried_bytes: int
    seconds: float
    is_whole: bool


def curl_argv(url: str, seconds: int, upload_from: str = "") -> list[str]:
    """The command line; an upload sends that file."""
    options = ["-sSg", "-o", "/dev/null", "--max-time", str(seconds), "-w", WRITE_OUT]
    upload = ["-X", "POST", "-H", "Expect:", "-T", upload_from] if upload_from else []
    return [NAME, *options, *upload, url]


def parse_curl(output: str, is_upload: bool) -> CurlFigures:
    """What it carried. Raises: ServerError for anything but a transfer that is whole or cut by its time."""
    try:
        found, _ = json.JSONDecoder().raw_decode(output, output.index("{"))
        code, status = found["code"], found["exit"]
    except (ValueError, KeyError) as error:
        raise ServerError(f"curl said: {output.strip()[-500:]}") from error
    if (status, code) not in ((0, OK), (TIME_IS_OVER, OK), (TIME_IS_OVER, NO_ANSWER)):
        raise ServerError(f"curl ended with {status}, status {code}: {output.strip()[-500:]}")
    return CurlFigures(found["up" if is_upload else "down"], found["seconds"], status == 0)
