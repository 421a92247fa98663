"""docs/applications.md as somebody begins who has an application: each command of its first sections, in a
folder of their own, on either stack."""

import http.client
import json
import os
import pwd
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..shards.conftest import Place, Server, place, serve, site
from .pages import DOCS, save_files
from .test_shell_lines import shown

__all__ = ["place", "serve", "site"]

PAGE = "applications.md"
DJANGO_ADMIN = str(Path(sys.executable).parent / "django-admin")
FLASK = """
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home() -> str:
    return "hello from Flask"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may read, as workers are not the user who starts them."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def begun(place: Place, folder: Path, line: str) -> Server:
    """What a line of the page starts, typed in a folder."""
    assert line in [each.split("#")[0].strip() for each in shown(DOCS / PAGE)], line
    first, *options = shlex.split(line.replace("--config ", "--config="))[2:]
    where = ("env", f"--chdir={folder}")
    name = re.sub(r"[^a-z]", "", first)
    start = place.start(*options, target=first, name=name, workers="", prefix=where, PYTHONPATH="")
    return start.wait_ready()


def get(place: Place, server: Server, path: str = "/") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port())
    connection.sock = place.connect(server.port())
    connection.request("GET", path)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


@pytest.mark.needs("open-checkout")
def test_fastapi__begins(place: Place, folder: Path) -> None:
    save_files(PAGE, folder)
    server = begun(place, folder, "gossamer serve shop:app --workers 4")
    status, body = get(place, server)
    assert (status, json.loads(body)) == (200, {"hello": "world"}), server.log()
    assert get(place, server, "/docs")[0] == 200
    assert len(server.worker_pids()) == 4
    assert "Traceback" not in server.log()


def django(folder: Path, *argv: str) -> None:
    """A command of Django's, as the page has it."""
    program = [sys.executable, "manage.py"] if (folder / "manage.py").exists() else [DJANGO_ADMIN]
    environment = {**os.environ, "DJANGO_SUPERUSER_PASSWORD": "x"}
    subprocess.run([*program, *argv], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def project(folder: Path) -> Path:
    """What `django-admin startproject` makes."""
    assert "`django-admin startproject shop`" in (DOCS / PAGE).read_text()
    django(folder, "startproject", "shop")
    return folder / "shop"


@pytest.mark.needs("open-checkout")
def test_django__begins_by_asgi_and_by_wsgi(place: Place, project: Path) -> None:
    for line in (
        "gossamer serve shop.asgi:application --workers 4",
        "gossamer serve shop.wsgi:application",
    ):
        server = begun(place, project, line)
        status, body = get(place, server)
        assert (status, b"The install worked successfully" in body) == (200, True), server.log()
        assert "Traceback" not in server.log()
        server.end()


@pytest.mark.long
@pytest.mark.needs("open-checkout")
def test_django__its_admin_with_files_and_a_database(place: Place, project: Path) -> None:
    """As whoever owns the project: a form is answered by a session in its database."""
    page = (DOCS / PAGE).read_text()
    setting = '`STATIC_ROOT = BASE_DIR /\n"collected"`'
    assert setting in page
    with (project / "shop" / "settings.py").open("a") as settings:
        settings.write(setting.strip("`").replace("\n", " ") + "\n")
    table = re.search(r'    \[server\]\n    target = "shop.asgi(?:.|\n)*?"collected"\n', page)
    assert table is not None
    owner = pwd.getpwuid(os.getuid()).pw_name
    (project / "server.toml").write_text(textwrap.dedent(table[0]).replace('"ada"', f'"{owner}"'))
    django(project, "collectstatic", "--no-input")
    django(project, "migrate")
    django(project, "createsuperuser", "--no-input", "--username", "ada", "--email", "ada@a.example")
    server = begun(place, project, "gossamer serve --config server.toml")
    status, style = get(place, server, "/static/admin/css/base.css")
    assert (status, style) == (200, (project / "collected" / "admin" / "css" / "base.css").read_bytes())
    connection = http.client.HTTPConnection("127.0.0.1", server.port())
    connection.sock = place.connect(server.port())
    connection.request("GET", "/admin/login/")
    form = connection.getresponse()
    form.read()
    (token,) = re.findall(r"csrftoken=(\w+)", form.getheader("set-cookie") or "")
    connection.request(
        "POST",
        "/admin/login/",
        f"csrfmiddlewaretoken={token}&username=ada&password=x&next=/admin/",
        {"Cookie": f"csrftoken={token}", "Content-Type": "application/x-www-form-urlencoded"},
    )
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("location")) == (302, "/admin/"), server.log()
    connection.close()
    assert "Traceback" not in server.log()


@pytest.mark.needs("open-checkout")
def test_flask__begins(place: Place, folder: Path) -> None:
    (folder / "shop.py").write_text(FLASK)
    server = begun(place, folder, "gossamer serve shop:app --threads 8")
    assert get(place, server) == (200, b"hello from Flask"), server.log()
