"""Other servers that are reloaded beside ours, each as its manual has it: SIGHUP to its first process.

nginx and gunicorn start all new workers and let the old ones end; granian replaces one worker after another,
new before old, and waits in between; so does uvicorn, which waits for each old one's last answer.

Owns their command lines and when a reload is over. The Python servers answer with `web/site_apps.py`.

Source: nginx(8); gunicorn's "Signal Handling"; granian's README, "Workers lifecycle"; uvicorn's "Deployment".
"""

import importlib.util
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gossamer.loadtest.peers import children, nginx_binary, start_nginx
from gossamer.loadtest.servers import Place, Server, ServerError, start_logged, wait_until_ready
from gossamer.loadtest.web.site_apps import FOLDER_VARIABLE

APPS: Final = "gossamer.loadtest.web.site_apps"
NGINX: Final = "nginx"
PYTHON: Final[Mapping[str, str]] = {
    "uvicorn": f"--host 127.0.0.1 --port {{port}} --workers {{workers}} --lifespan off --no-access-log "
    f"--log-level warning --timeout-keep-alive 75 {APPS}:asgi",
    "gunicorn": f"--bind 127.0.0.1:{{port}} --workers {{workers}} --worker-class gthread --threads 64 "
    f"--keep-alive 75 --no-control-socket {APPS}:wsgi",
    "granian": f"--host 127.0.0.1 --port {{port}} --workers {{workers}} --interface asginl --no-ws "
    f"{APPS}:asgi",
}
"""What follows `python -m NAME`."""
PEERS: Final = (NGINX, *PYTHON)
RELOADED_WAIT_S: Final = 60.0
STEP_S: Final = 0.05


def why_not(name: str) -> str:
    """Why it cannot be reloaded here; "" where it can."""
    if name == NGINX:
        return "" if nginx_binary() else "it is not installed (Debian package nginx-light)"
    return "" if importlib.util.find_spec(name) else "it is not installed (extra `bench`)"


def start_peer(place: Place, name: str, site: Path, work: Path, workers: int, port: int) -> Server:
    """Start it and wait until it answers; `work` is a folder of its own. Raises: ServerError."""
    if name == NGINX:
        return start_nginx(place, site, work, workers, port)
    work.mkdir(parents=True, exist_ok=True)
    words = PYTHON[name].format(port=port, workers=workers).split()
    # -P: else the current folder would come first.
    argv = [sys.executable, "-P", "-m", name, *words]
    log = work / "log"
    process = start_logged(place, argv, log, {FOLDER_VARIABLE: str(site)})
    server = Server(name, process, port, log, lambda: children(process.pid))
    wait_until_ready(place, server, lambda: len(server.worker_pids()) >= workers)
    return server


def wait_until_reloaded(server: Server, before: set[int], workers: int) -> None:
    """Until as many of its processes are new as it has workers. Raises: ServerError."""
    until_s = time.monotonic() + RELOADED_WAIT_S
    while time.monotonic() < until_s and server.process.poll() is None:
        if len(set(server.worker_pids()) - before) >= workers:
            return
        time.sleep(STEP_S)
    raise ServerError(f"{server.name} has no new workers: {server.log.read_text()[-2000:]}")
