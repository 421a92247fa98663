"""A server that speaks TLS, from the command line: what a browser, curl and openssl meet on both stacks, and
what becomes of connections and certificates at a reload."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.sync.client import connect as websocket

from ..certificates import CA, PEMS, asking, pair
from ..cli.inside import gossamer
from ..parts import ask_each
from .conftest import Place, Server, wait_until

CERTIFICATE = ("--ssl-certfile", str(PEMS / "server.pem"), "--ssl-keyfile", str(PEMS / "server.key"))
LARGE = os.urandom(1 << 20)

GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Served:
    """A server of TLS, and what its clients do."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        (folder / "large").write_bytes(LARGE)
        written = ("--set", "tcp.park_after=100ms", "--set", "supervisor.survive_crash=true")
        self.server = place.start(*CERTIFICATE, *written).wait_ready()
        self.port = self.server.status()["port"]

    def connect(self, context: ssl.SSLContext | None = None, host: str = "localhost") -> ssl.SSLSocket:
        """A connection that has shaken hands."""
        return (context or asking()).wrap_socket(self.place.connect(self.port), server_hostname=host)

    def run(self, *command: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
        """A command where the server is."""
        with self.place.inside():
            return subprocess.run(command, capture_output=True, check=False, timeout=30, **options)

    def totals(self, name: str) -> int:
        """A counter of the server's."""
        total: int = self.server.status()["workers"][0]["totals"][name]
        return total


def answer_on(stream: socket.socket, path: bytes = b"/") -> tuple[int, bytes]:
    """Ask for a file on a connection that lives on."""
    stream.sendall(GET % path)
    response = http.client.HTTPResponse(stream)
    response.begin()
    return response.status, response.read()


def keep_alive(served: Served) -> None:
    with served.connect() as tls:
        assert tls.version() == "TLSv1.3"
        assert tls.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            assert answer_on(tls) == (200, b"hello\n")
        assert answer_on(tls, b"/large") == (200, LARGE)
        assert answer_on(tls, b"/none")[0] == 404


def ends_in_order(served: Served) -> None:
    with served.connect() as tls:
        tls.sendall((GET % b"/").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        heard = b""
        while part := tls.recv(65536):  # Without close_notify this were an SSLEOFError.
            heard += part
        assert heard.endswith(b"hello\n")
        tls.unwrap()


def version_1_2(served: Served) -> None:
    context = asking()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with served.connect(context) as tls:
        assert tls.version() == "TLSv1.2"
        assert answer_on(tls, b"/large") == (200, LARGE)


def plain_request(served: Served) -> None:
    with served.place.connect(served.port) as client:
        client.sendall(GET % b"/")
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 400
        assert b"https://" in response.read()
    wait_until(lambda: "a plain HTTP request on the TLS port" in served.server.log(), "its line")
    wait_until(lambda: served.totals("tls_plain_total") > 0, "it is counted")


def still_sending(served: Served) -> None:
    """Who sends on while it is refused hears why, and no reset."""
    upload = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 800000\r\n\r\n"
    for begin, answer in ((upload, b"HTTP/1.1 400"), (hello_of(b"\3\1"), b"\x15\3\1\0\2\2")):
        with served.place.connect(served.port) as client:
            client.sendall(begin)
            heard = client.recv(65536)
            assert heard.startswith(answer)
            for _ in range(8):
                client.sendall(bytes(100_000))
                time.sleep(0.005)  # A reset would end the next one.
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                heard += part


def hello_of(version: bytes) -> bytes:
    """What a client of an old version begins with (RFC 2246 7.4.1.2), for two suites of its time."""
    body = version + bytes(32) + b"\0" + b"\0\4\xc0\x09\xc0\x0a" + b"\1\0"
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16" + version + len(message).to_bytes(2, "big") + message


def old_versions(served: Served) -> None:
    """SSL 3.0, TLS 1.0, TLS 1.1: a fatal alert, handshake_failure or protocol_version."""
    for version in (b"\3\0", b"\3\1", b"\3\2"):
        with served.place.connect(served.port) as client:
            client.sendall(hello_of(version))
            heard = b""
            while part := client.recv(100):
                heard += part
            assert heard in (b"\x15" + version + b"\0\2\2\x28", b"\x15" + version + b"\0\2\2\x46")


def by_curl(served: Served) -> None:
    url = f"https://localhost:{served.port}/"
    trusted = served.run("curl", "-sS", "--cacert", str(CA), "--ipv4", url)
    assert (trusted.returncode, trusted.stdout) == (0, b"hello\n"), trusted.stderr
    insecure = served.run("curl", "-sSk", f"https://127.0.0.1:{served.port}/large")
    assert insecure.stdout == LARGE
    assert served.run("curl", "-sS", url).returncode == 60  # nobody it trusts has signed it


def by_openssl(served: Served) -> None:
    """What testssl asks: no compression, no renegotiation, no weak cipher."""
    connect = ("openssl", "s_client", "-connect", f"127.0.0.1:{served.port}", "-CAfile", str(CA), "-tls1_2")
    said = served.run(*connect, input=b"").stdout.decode()
    assert "Secure Renegotiation IS supported" in said
    assert "Compression: NONE" in said
    assert "Verify return code: 0 (ok)" in said
    assert b"no renegotiation" in served.run(*connect, input=b"R\n").stderr
    for cipher in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "eNULL"):
        asked = served.run(*connect, "-cipher", f"{cipher}:@SECLEVEL=0", input=b"")
        assert b"Cipher is (NONE)" in asked.stdout, cipher


def load(served: Served) -> None:
    url = f"https://localhost:{served.port}/"
    with served.place.inside():
        done = gossamer("load", url, "--cacert", str(CA), "-n", "50", "-c", "2", "--json")
        refused = gossamer("load", url, "-n", "5")
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert (told["requests_total"], told["errors_total"], told["url"]) == (50, 0, url)
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stderr
    assert "--cacert" in refused.stderr
    assert refused.stderr.count("\n") == 1


def stays_where_it_is(served: Served) -> None:
    """It is not written down, though that is asked for; at rest its TCP is parked, its thread is not."""
    with served.connect() as tls:
        assert answer_on(tls) == (200, b"hello\n")
        time.sleep(0.3)
        assert answer_on(tls) == (200, b"hello\n")
    assert served.totals("checkpoints_total") == 0
    assert served.totals("parked_total") > 0 or served.place.stack == "kernel"


PARTS = (
    stays_where_it_is,
    load,
    keep_alive,
    ends_in_order,
    version_1_2,
    plain_request,
    old_versions,
    still_sending,
    by_curl,
    by_openssl,
)


def test_server__that_speaks_tls__part_by_part(place: Place, site: Path) -> None:
    served = Served(place, site)
    assert f"https://127.0.0.1:{served.port}/" in served.server.log()
    parts = [part for part in PARTS if not part.__name__.startswith("by_") or shutil.which(part.__name__[3:])]
    ask_each([(part.__name__, lambda part=part: part(served)) for part in parts])  # type: ignore[misc]


def test_key_that_only_root_reads__is_served_by_workers_who_may_not(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("needs to be root")
    key = tmp_path / "only.key"
    shutil.copy(PEMS / "server.key", key)
    key.chmod(0o600)
    server = serve(*CERTIFICATE[:2], "--ssl-keyfile", str(key)).wait_ready()
    key.unlink()  # A worker that takes a dead one's place serves what the others do.
    (pid,) = server.worker_pids()
    os.kill(pid, 9)
    wait_until(lambda: server.worker_pids() not in ([pid], [0]), "another worker")
    server.wait_serving()
    with (
        socket.create_connection(("127.0.0.1", server.status()["port"]), 10) as plain,
        asking().wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        assert answer_on(tls) == (200, b"hello\n")


def serving_folder(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and a key that can be exchanged."""
    files = tmp_path / "now.pem", tmp_path / "now.key"
    exchange(files, "server")
    return files


def exchange(files: tuple[Path, Path], name: str) -> None:
    for file, kind in zip(files, ("pem", "key"), strict=True):
        shutil.copy(PEMS / f"{name}.{kind}", file)


def names_of(tls: ssl.SSLSocket) -> set[str]:
    """The hosts of the certificate that was shown."""
    certificate: Any = tls.getpeercert()
    return {name for _, name in certificate["subjectAltName"]}


def nameless() -> ssl.SSLContext:
    """A client that asks whose certificate it is by itself."""
    context = asking()
    context.check_hostname = False
    return context


def test_reload__new_certificates__and_no_connection_is_cut(place: Place, site: Path, tmp_path: Path) -> None:
    """A download that takes longer than the graceful time, and one that waits: each ends in order."""
    (site / "huge").write_bytes(LARGE * 24)
    files = serving_folder(tmp_path)
    server = place.start(
        *("--ssl-certfile", str(files[0]), "--ssl-keyfile", str(files[1])),
        *("--timeout-graceful-shutdown", "1s"),
    ).wait_ready()
    port = server.status()["port"]

    def connect() -> ssl.SSLSocket:
        return nameless().wrap_socket(place.connect(port), server_hostname="localhost")

    with connect() as loading, connect() as waiting:
        assert answer_on(waiting) == (200, b"hello\n")
        loading.sendall(GET % b"/huge")
        assert "localhost" in names_of(loading)
        exchange(files, "other")
        (before,) = server.worker_pids()
        assert server.command("reload").returncode == 0

        def is_new() -> bool:
            with connect() as fresh:
                assert answer_on(fresh) == (200, b"hello\n")
                return names_of(fresh) == {"b.example", "*.c.example"}

        wait_until(is_new, "the new worker alone accepts")
        assert waiting.recv(1) == b""  # close_notify: without it this were an error
        time.sleep(1.5)  # the graceful time is over
        assert psutil.pid_exists(before)
        response = http.client.HTTPResponse(loading)
        response.begin()
        assert response.read() == LARGE * 24
    wait_until(lambda: not psutil.pid_exists(before), "the old worker has nobody left, and ends")
    files[1].write_bytes(b"no key")
    refused = server.command("reload")
    assert refused.returncode != 0
    assert "it holds no private key" in refused.stderr
    with connect() as still:
        assert answer_on(still) == (200, b"hello\n")


def test_several_certificates_and_those_of_clients(place: Place, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[tls]\ncertfile = "{PEMS}/server.pem"\nkeyfile = "{PEMS}/server.key"\nca_certs = "{CA}"\n'
        'cert_reqs = "required"\n[tls.certificates]\n'
        f'"b.example" = ["{PEMS}/other.pem", "{PEMS}/other.key"]\n'
        f'"*.c.example" = ["{PEMS}/other.pem", "{PEMS}/other.key"]\n'
    )
    server = place.start("--config", str(config)).wait_ready()
    port = server.status()["port"]

    def connect(host: str | None, shown: str = "client") -> ssl.SSLSocket:
        context = asking(pair=pair(shown)) if shown else asking()
        context.check_hostname = False
        return context.wrap_socket(place.connect(port), server_hostname=host)

    for host, names in {
        "localhost": "localhost",
        "b.example": "b.example",
        "B.Example": "b.example",
        "x.c.example": "*.c.example",
        "elsewhere.example": "localhost",
        None: "localhost",
    }.items():
        with connect(host) as tls:
            assert names in names_of(tls), host
            assert answer_on(tls) == (200, b"hello\n")
    for shown in ("", "stranger"):
        with connect("localhost", shown) as tls, pytest.raises(ssl.SSLError, match="ALERT"):
            answer_on(tls)


def test_tickets__are_good_at_the_worker_that_gave_them__and_nothing_fails_at_another(
    place: Place,
) -> None:
    server = place.start(*CERTIFICATE, workers="2").wait_ready()
    port, context, sessions = server.status()["port"], asking(), list[ssl.SSLSession]()

    def resumed(session: ssl.SSLSession | None) -> bool:
        with (
            place.connect(port) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
        ):
            assert answer_on(tls) == (200, b"hello\n")
            assert tls.session is not None
            sessions.append(tls.session)
            return bool(tls.session_reused)

    resumed(None)
    found = {resumed(sessions[0]) for _ in range(40)}
    assert found == {True, False}
    wait_until(lambda: total_of(server, "tls_handshakes_total") == 41, "all are counted")
    assert 0 < total_of(server, "tls_resumed_total") < 40


def total_of(server: Server, name: str) -> int:
    return sum(int(worker["totals"][name]) for worker in server.status()["workers"])


def test_handler__sees_what_was_agreed_on(place: Place, tmp_path: Path) -> None:
    (tmp_path / "tells.py").write_text(
        "async def handler(stream):\n"
        "    await stream.recv()\n"
        "    facts = stream.tls\n"
        "    await stream.send(f'{facts.version} {facts.alpn} {facts.server_name}'.encode())\n"
    )
    alpn = ("--set", 'tls.alpn=["x/1", "y"]')
    server = place.start(*CERTIFICATE, *alpn, target="tells:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    context = asking(alpn=("y",))
    with (
        place.connect(server.status()["port"]) as plain,
        context.wrap_socket(plain, server_hostname="a.example") as tls,
    ):
        tls.sendall(b"x")
        assert tls.recv(100) == b"TLSv1.3 y a.example"
        assert tls.recv(100) == b""


APPLICATION = """
import json

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        heard = (await receive())["text"]
        await send({"type": "websocket.send", "text": f"{heard} by {scope['scheme']}"})
        return
    told = {"scheme": scope["scheme"], **scope["extensions"]["tls"]}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""


def test_asgi_application__is_told_of_tls_and_of_its_client(place: Place, tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(APPLICATION)
    clients = ("--ssl-ca-certs", str(CA), "--ssl-cert-reqs", "optional")
    environment = {"target": "telling:application", "PYTHONPATH": str(tmp_path)}
    server = place.start(*CERTIFICATE, *clients, **environment).wait_ready()
    port, name = server.status()["port"], "CN=ada,O=tests of gossamer"
    for shown, expected in (("client", name), ("", None)):
        context = asking(pair=pair(shown)) if shown else asking()
        with context.wrap_socket(place.connect(port), server_hostname="localhost") as tls:
            status, body = answer_on(tls)
        told = json.loads(body)
        assert (status, told["scheme"], told["tls_version"]) == (200, "https", 0x0304)
        assert told["cipher_suite"] in (0x1301, 0x1302, 0x1303)
        assert told["client_cert_name"] == expected
        assert len(told["client_cert_chain"]) == bool(shown)
    with (
        place.connect(port) as plain,
        websocket("wss://localhost/", sock=plain, ssl=asking(), server_hostname="localhost") as client,
    ):
        client.send("hello")
        assert client.recv(10) == "hello by wss"


def test_proxy_header_and_unix_socket__come_before_tls(serve: Callable[..., Server], tmp_path: Path) -> None:
    """The header of the PROXY protocol is plain; who it names is in the access log, with the scheme."""
    log, path = tmp_path / "access.log", tmp_path / "socket"
    config = tmp_path / "config.toml"
    config.write_text(
        f'[log]\naccess_log = true\naccess_log_file = "{log}"\naccess_log_format = "{{client}} {{scheme}}"\n'
        f'[web]\nproxy_protocol = ["unix"]\n[server]\nuds = "{path}"\n'
    )
    serve(*CERTIFICATE, "--config", str(config)).wait_ready()
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(path))
        plain.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n")
        with asking().wrap_socket(plain, server_hostname="localhost") as tls:
            assert answer_on(tls) == (200, b"hello\n")
    wait_until(lambda: log.read_text() == "192.0.2.7 https\n", "its line")
