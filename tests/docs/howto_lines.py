"""Which shell lines of the how-to pages are run, as what, and why the others are not.

Every line of these pages that begins with a command is one of the two. What takes long is shortened, and what
is the reader's (addresses, files) is replaced, by patterns; `shell_lines.py` runs what is planned here, from
the wheel, in a network of its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from .pages import DOCS

COMMANDS: Final = (
    "gossamer", "python", "python3", "curl", "openssl", "locust", "pip", "make", "systemctl", "install",
    "mkdir", "useradd", "ssh", "tshark", "kill", "jq", "scripts/[a-z-]+",
)  # fmt: skip
LINE: Final = re.compile(rf"^    (?:\$ )?((?:{'|'.join(COMMANDS)}) (?!serves |-> )\S.*)$", re.MULTILINE)
COMMENT: Final = re.compile(r"\s{3,}.*|\s+# .*")

INSTALLS: Final = "installs from an index: scripts/release-check tries the wheel in bare environments"
CLONE: Final = "of a clone, where it is a target of make"
ROOT: Final = "as root, into the system's folders: scripts/real-systemd does it on a machine of its own"
SERVER: Final = "gossamer serve www --admin 127.0.0.1:9100 -w 2"
"""What runs where a page does not say it."""


class Page(NamedTuple):
    """What is done with the lines of one page."""

    replaced: Mapping[str, str] = {}
    """Patterns, and what stands in their place."""
    not_run: Mapping[str, str] = {}
    """Beginnings of lines, and the reason of each."""
    where: Mapping[str, str] = {}
    """Beginnings of lines, and the folder that they are typed in."""


SHORT: Final = {
    r"-d \d+s": "-d 1s",
    r"-n 10000": "-n 100",
    r"--rate [12]000": "--rate 50",
    r"--rate 500": "--rate 50",
    r"--find 'p99<50ms'": "--find 'p99<5s' --rate 50 -d 1s",
    r"100-2000:1m --require 'p99<50ms'": "20-40:2s --require 'p99<30s'",
    r"http://10\.0\.0\.2/": "http://127.0.0.1:8080/",
    r"-c (10000|50000)": "-c 50",
    r"--connect-rate \d+": "--connect-rate 50",
    r"http://127.0.0.1:8081/": "http://127.0.0.1:8080/",
}
SIM: Final = {r"--duration 60s --bytes [18]GiB": "--duration 5s --bytes 1MiB"}

PAGES: Final[Mapping[str, Page]] = {
    "adding-a-system-call.md": Page(),
    "applications.md": Page(
        not_run={
            "pip install": INSTALLS,
            "gossamer serve --config server.toml": "tests/docs/test_applications.py: with a user and files",
        },
        where={
            "gossamer serve shop.": "django/shop",
            "gossamer serve shop:app --threads": "flask",
        },
    ),
    "congestion-control.md": Page(SIM),
    "experiments.md": Page({r"sync --json": "sync --quick --json"}),
    "first-server.md": Page(
        not_run={
            "python3 -m venv env": INSTALLS,
            "pip install": INSTALLS,
            "python3 -m venv /opt": ROOT,
            "install ": ROOT,
            "mkdir -p /etc": ROOT,
            "systemctl ": ROOT,
        }
    ),
    "load-testing.md": Page(
        SHORT,
        {
            "curl -X POST": "a line of a file of requests",
            "gossamer load http://127.0.0.1:8080/ -c 256": "a search of a minute, as the one above it",
        },
    ),
    "machines.md": Page({r"/srv/www": "www"}, {"useradd ": "as root, a user of the system"}),
    "monitoring.md": Page(
        {r"--interval 10s": "--interval 200ms --once", r"--duration 10s": "--duration 500ms"},
        {"ssh ": "another machine"},
    ),
    "native.md": Page(not_run={"make ": CLONE}),
    "packetdrill.md": Page(not_run={"gossamer packetdrill SCRIPT": "says what may be written"}),
    "restarts.md": Page(),
    "simulator.md": Page(
        {**SIM, r"--seeds 100": "--seeds 2"},
        {"gossamer sim --golden": "takes minutes; tests/core/sim/test_golden.py holds each cell"},
    ),
    "soak.md": Page(
        not_run={
            "make ": CLONE,
            "python -m gossamer.loadtest.soak": "does faults to a machine: tests/loadtest/test_soak.py",
        }
    ),
    "status.md": Page(),
    "tls.md": Page(),
    "web.md": Page({r"/etc/gossamer/users": "users <<< secret"}),
    "site/index.md": Page(not_run={"pip install": INSTALLS}),
    "site/install.md": Page(not_run={"pip install": INSTALLS}),
    "site/troubleshooting.md": Page(),
}


def lines(page: str) -> list[str]:
    """The lines of a page that a reader types, continued ones whole, without what is said beside them."""
    text = re.sub(r"^```.*?^```$", "", (DOCS / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    return [COMMENT.sub("", found) for found in LINE.findall(re.sub(r"\\\n\s*", "", text))]


def begins(line: str, table: Mapping[str, str]) -> str:
    """What a table says of a line; "" where nothing."""
    return next((said for beginning, said in table.items() if line.startswith(beginning)), "")


def planned(page: str) -> list[tuple[str, str, str]]:
    """Of each line that is run: as it stands there, as it is typed, the folder."""
    found = PAGES[page]
    plan = []
    for line in lines(page):
        if begins(line, found.not_run):
            continue
        typed = line
        for pattern, replacement in found.replaced.items():
            typed = re.sub(pattern, replacement, typed)
        plan.append((line, typed, begins(line, found.where)))
    return plan


def prepare(folder: Path) -> None:
    """What the reader has beside what `gossamer examples` wrote: applications, certificates."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


FLASK: Final = "from flask import Flask\n\napp = Flask(__name__)\n"
FILES: Final = {
    "flask/shop.py": FLASK,
    "shop.py": FLASK,
    "targets.txt": "GET http://127.0.0.1:8080/\n",
}
