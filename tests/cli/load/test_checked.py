"""From options to the record of a run: what is refused, in one line, and what follows from the rest."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from gossamer.cli.load.checked import checked
from gossamer.cli.load.command import load
from gossamer.cli.load.scenario import REQUESTS
from gossamer.core.clock import SECOND_US
from gossamer.loadtest.options import LoadOptions
from gossamer.shards.exitcode import CommandError

URL = "http://127.0.0.1:1/x"


def options_of(*arguments: str) -> LoadOptions:
    """The record that follows from a command line."""
    with load.make_context("load", list(arguments)) as ctx:
        asked = {name: value for name, value in ctx.params.items() if name != "url"}
        return checked(ctx.params["url"], asked, ctx.meta.get(REQUESTS, ()))


def sent(*arguments: str) -> bytes:
    options = options_of(*arguments)
    assert options.requests is not None
    return options.requests.of(0).data


REFUSED = [
    ([], "URL: missing"),
    (["http://127.0.0.1:1/a b"], "percent-encode"),
    ([URL, "-X", "GE T"], "--method: found 'GE T'"),
    ([URL, "-X", "CONNECT"], "tunnel"),
    ([URL, "--data", "@no-such-file"], "--data: no-such-file: No such file"),
    ([URL, "-u", "name"], "--user: found no colon"),
    ([URL, "-H", "Content-Length: 3"], "--header: found Content-Length"),
    ([URL, "--host", "a\r\nb"], "--header: found"),
    ([URL, "--connect-to", "127.0.0.1"], "--connect-to: found '127.0.0.1'"),
    ([URL, "--connect-to", "127.0.0.1:99999"], "--connect-to: found"),
    ([URL, "--connect-to", "127.0.0.1:1", "--unix-socket", "/s"], "one of the two"),
    ([URL, "--unix-socket", "/no/such"], "--unix-socket: found '/no/such'"),
    ([URL, "--source", "here"], "--source: found 'here'"),
    ([URL, "--source", "127.0.0.1,192.0.2.77"], "--source: 192.0.2.77 is not this machine's"),
    ([URL, "--source", "127.0.0.1", "--stack", "nfqueue"], "--source: found with --stack nfqueue"),
    ([URL, "--requests-file", "no-such-file"], "--requests-file: no-such-file: No such file"),
    ([URL, "--requests-file", "empty"], "--requests-file empty: no request in it"),
    ([URL, "--requests-file", "other.txt"], "a server other than 127.0.0.1:1"),
    ([URL, "--requests-file", "zero.jsonl"], "weights: found 0"),
    ([URL, "--requests-file", "bad.jsonl"], "line 2:"),
    ([URL, "--requests-file", "paths.txt", "--data", "x"], "beside a list"),
    (["--requests-file", "paths.txt"], "URL: missing"),
    ([URL, "--rows", "no-such-file"], "--rows: no-such-file: No such file"),
    ([URL, "--rows", "rows.csv"], "no request names a column"),
    ([URL + "?{b}", "--rows", "rows.csv"], "no column 'b'; there are: a"),
    ([URL + "?{a}", "--rows", "empty"], "found 0 rows"),
    ([URL, "--check", "state=200"], "--check: found 'state=200'"),
    ([URL, "--check", "status~200"], "--check: found 'status~200'"),
    ([URL, "--check", "status=2x"], "status=200,3xx"),
    ([URL, "--check", "body~("], "regular expression"),
    ([URL, "--rate", "10", "--think", "1s"], "--think: found with --rate"),
    ([URL, "--rate", "10", "--pace", "1s"], "--pace: found with --rate"),
    ([URL, "--rate", "10:1s", "-d", "1s"], "--duration: found with phases"),
    ([URL, "--require", "p99"], "--require: found 'p99'"),
    ([URL, "--cacert", "empty"], "--cacert: found with http://127.0.0.1:1/x"),
    ([URL, "--insecure"], "--insecure: found with http://127.0.0.1:1/x"),
    (["https://127.0.0.1:1/", "--cacert", "empty"], "--cacert: it holds no certificate in PEM form"),
    (["https://127.0.0.1:1/", "--cacert", "no-such-file"], "--cacert: no-such-file: No such file"),
    (["https://127.0.0.1:1/", "--cacert", "empty", "--insecure"], "one of the two"),
    ([URL, "--requests-file", "encrypted.txt"], "found https beside http://127.0.0.1:1/x"),
    ([URL, "-o", "a.pdf"], "--output: found 'a.pdf'"),
    (["--scenario", "no-such-file"], "--scenario: no-such-file: No such file"),
    (["--scenario", "bad.toml"], "--scenario bad.toml:"),
    (["--scenario", "unknown.toml"], "no option 'conections'; did you mean 'connections'?"),
    (["--scenario", "table.toml"], "rate: found dict"),
    (["--scenario", "request.toml"], "unknown field `wait`"),
]

FILES = {
    "empty": "",
    "other.txt": "GET http://192.0.2.1/\n",
    "paths.txt": "GET /a\n",
    "encrypted.txt": "GET https://127.0.0.1:1/\n",
    "zero.jsonl": '{"url": "/a", "weight": 0}\n',
    "bad.jsonl": '{"url": "/a"}\n{"url": 3}\n',
    "rows.csv": "a\n1\n",
    "bad.toml": "rate = ",
    "unknown.toml": 'url = "http://127.0.0.1:1/"\nconections = 3\n',
    "table.toml": "[rate]\na = 1\n",
    "request.toml": '[[request]]\nurl = "/"\nwait = 3\n',
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_wrong__each__one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    error = CliRunner().invoke(load, arguments).exception
    assert isinstance(error, CommandError)
    assert error.exit_code == 2
    assert said in str(error)
    assert "\n" not in str(error)


def test_scenario__a_wrong_value__as_of_the_flag(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('url = "http://127.0.0.1:1/"\nconnections = 0\n')
    result = CliRunner().invoke(load, ["--scenario", str(tmp_path / "s.toml")])
    assert result.exit_code == 2
    assert "--connections" in result.output


def test_data__a_text__posted() -> None:
    assert sent(URL, "--data", "hi").startswith(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")
    assert sent(URL, "--data", "hi").endswith(b"Content-Length: 2\r\n\r\nhi")


def test_data__a_file__its_octets(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\x00\xff")
    assert sent(URL, "-X", "PUT", "--data", f"@{tmp_path / 'body'}").endswith(b"\r\n\r\n\x00\xff")


def test_user__basic_authentication() -> None:
    assert b"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" in sent(URL, "-u", "Aladdin:open sesame")


def test_host__in_place_of_the_urls() -> None:
    assert b"\r\nHost: a.example\r\n" in sent(URL, "--host", "a.example")


def test_http10__asks_to_keep_the_connection() -> None:
    assert sent(URL, "--http1.0") == (
        b"GET /x HTTP/1.0\r\nHost: 127.0.0.1:1\r\nConnection: keep-alive\r\n\r\n"
    )
    assert sent(URL, "--http1.0", "--no-keepalive").count(b"Connection: close") == 1


def test_connect_to__the_host_is_not_looked_up() -> None:
    target = options_of("http://no.such.host.invalid/", "--connect-to", "127.0.0.1:7").target
    assert (target.authority, target.addresses) == ("no.such.host.invalid", (("127.0.0.1", 7),))


def test_unix_socket__its_path_is_the_address(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert options_of("http://any.invalid/", "--unix-socket", path).target.addresses == ((path, 0),)


def test_phases__say_how_long() -> None:
    options = options_of(URL, "--rate", "100:2s,100-300:2s")
    assert (options.rate, options.duration_us) == (150.0, 4 * SECOND_US)


def test_requests_file__no_url__its_first(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("GET http://127.0.0.1:9/a\n\nGET /b\nX-A: 1\n")
    options = options_of("--requests-file", str(tmp_path / "t"), "-H", "X-A: 2", "-H", "X-B: 3")
    assert options.requests is not None
    first, second = (options.requests.of(number).data for number in range(2))
    assert first == b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:9\r\nX-A: 2\r\nX-B: 3\r\n\r\n"
    assert second == b"GET /b HTTP/1.1\r\nHost: 127.0.0.1:9\r\nX-B: 3\r\nX-A: 1\r\n\r\n"


def test_scenario__options_and_requests__flags_go_before_it(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'url = "http://127.0.0.1:9/"\nconnections = 7\nduration = 3\nkeepalive = false\nwarm-up = "20ms"\n'
        'header = ["X-A: 1"]\n'
        '[[request]]\nurl = "/a"\nweight = 3\n[[request]]\nurl = "/b"\nbody = "x"\ncheck = ["status=201"]\n'
    )
    options = options_of("--scenario", str(tmp_path / "s.toml"), "-c", "8")
    assert (options.connections, options.duration_us, options.keep_alive) == (8, 3 * SECOND_US, False)
    assert options.warm_up_us == 20_000
    assert options.requests is not None
    lines = [options.requests.of(number).data.split(b"\r\n") for number in range(4)]
    assert sorted(line[0] for line in lines) == [*[b"GET /a HTTP/1.1"] * 3, b"POST /b HTTP/1.1"]
    assert all(b"X-A: 1" in line for line in lines)
