"""nginx, which ours is compared with, as its users set it up for speed: no access log, sendfile, cached
descriptors.

Owns that configuration. The Python servers stand in `loadtest.web.python_peers`.
"""

import shutil
from pathlib import Path
from typing import Final

import psutil

from gossamer.loadtest.servers import KeyFiles, Place, Server, ServerError, start_logged, wait_until_ready

NGINX_CONFIG: Final = """
daemon off;
master_process on;
worker_processes {workers};
user {user};
pid {prefix}/nginx.pid;
error_log {prefix}/error.log;
events {{ worker_connections 8192; }}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=1000 inactive=60s;
  keepalive_requests 1000000000;
  keepalive_timeout 75s;
  client_body_temp_path {prefix}/body;
  proxy_temp_path {prefix}/proxy;
  fastcgi_temp_path {prefix}/fastcgi;
  uwsgi_temp_path {prefix}/uwsgi;
  scgi_temp_path {prefix}/scgi;
  {more}
  server {{
    listen 0.0.0.0:{port} backlog=4096{tls};
    listen [::]:{port} backlog=4096 ipv6only=on{tls};
    root {folder};
    index index.html;
  }}
}}
"""


def nginx_binary() -> str | None:
    """Where nginx is; Debian keeps it out of an ordinary user's path."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [child.pid for child in psutil.Process(pid).children()]


def start_nginx(
    place: Place,
    folder: Path,
    prefix: Path,
    workers: int = 1,
    port: int = 8081,
    user: str = "root",
    more: str = "",
    keys: KeyFiles | None = None,
) -> Server:
    """Start nginx and wait until it answers; `more` are further directives. Raises: ServerError."""
    binary = nginx_binary()
    if binary is None:
        raise ServerError("nginx is not installed")
    prefix.mkdir(parents=True, exist_ok=True)
    config, log = prefix / "nginx.conf", prefix / "log"
    if keys is not None:
        more += f"ssl_certificate {keys.certificate}; ssl_certificate_key {keys.key};"
    tls = "" if keys is None else " ssl"
    config.write_text(
        NGINX_CONFIG.format(
            workers=workers, user=user, prefix=prefix, port=port, folder=folder, more=more, tls=tls
        )
    )
    argv = [binary, "-p", str(prefix), "-c", str(config), "-e", str(prefix / "error.log")]
    process = start_logged(place, argv, log)
    server = Server("nginx", process, port, log, lambda: children(process.pid), is_encrypted=keys is not None)
    wait_until_ready(place, server, lambda: len(server.worker_pids()) >= workers)
    return server
