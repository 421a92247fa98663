"""What workers give up where the machine refuses part of it: each time a server that is started there.

Every place is tried before it is used, and the test is skipped where it is not available.
"""

import functools
import os
import pwd
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.shards.configuration.config import Config
from gossamer.shards.confinement import confinement

from ...cli.inside import gossamer
from ..conftest import GOSSAMER, Server

Serve = Callable[..., Server]

REFUSE = str(Path(__file__).parents[2] / "refuse.py")
ROOT_WITHOUT_CAPABILITIES = ("setpriv", "--groups=0,1", "--bounding-set=-all", "--inh-caps=-all", "--")
ONE_USER = ("unshare", "-Ur")
ALL_GROUPS = ("setpriv", "--groups=0,1", "--")
KEEPCAPS, NO_NEW_PRIVS = "prctl=8", "prctl=38"

needs_root = pytest.mark.needs("another-user")


def refusing(*rules: str) -> tuple[str, ...]:
    return (*ALL_GROUPS, sys.executable, REFUSE, *rules, "--")


@functools.cache
def a_place(prefix: tuple[str, ...]) -> tuple[str, ...]:
    """The prefix, where commands can be run with it. Skips elsewhere."""
    if shutil.which(prefix[0]) is None:
        pytest.skip(f"needs {prefix[0]}")
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, timeout=60, check=False)
    if tried.returncode != 0:
        pytest.skip(f"{' '.join(prefix)} cannot be had: {tried.stderr.strip()}")
    return prefix


def warnings(server: Server) -> list[str]:
    return [line for line in server.log().splitlines() if "warning" in line]


def fields(server: Server) -> dict[str, str]:
    """The process table's lines of its first worker."""
    text = Path(f"/proc/{server.worker_pids()[0]}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def refused_start(prefix: tuple[str, ...], site: Path, tmp_path: Path, *options: str) -> tuple[int, str]:
    """The exit code and the output of a server that cannot start."""
    argv = [GOSSAMER, "serve", str(site), "--port", "0", "--run-dir", str(tmp_path / "run"), *options]
    done = subprocess.run([*prefix, *argv], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@needs_root
def test_serve__root_without_capabilities__stays_root_and_warns_in_one_line(serve: Serve) -> None:
    server = serve("--stack", "auto", prefix=a_place(ROOT_WITHOUT_CAPABILITIES)).wait_ready()
    assert server.get() == (200, b"hello\n")
    (warning,) = warnings(server)
    assert "server.user" in warning
    assert "cannot become nobody: setgroups: Operation not permitted" in warning
    assert "as this user" in server.log()
    assert fields(server)["Uid"].split() == ["0"] * 4


OWN_NETWORK = ("unshare", "-Urn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@pytest.mark.needs("nfqueue", "curl")
def test_serve__user_namespace_with_a_network_of_its_own__functional_tcp_with_the_buffers_that_it_may_have(
    serve: Serve,
) -> None:
    argv = ("--stack", "nfqueue", "--set", "nfqueue.queues=1")
    server = serve(*argv, prefix=a_place(OWN_NETWORK)).wait_ready()
    # Which queues there are stands in a file of the machine's root, who is not always the one that is mapped.
    (buffers, user) = (each for each in warnings(server) if "are not counted" not in each)
    assert "the socket of a queue has room for" in buffers
    assert "server.user: workers stay root, with no capability but CAP_NET_ADMIN" in user
    inside = ["nsenter", "--preserve-credentials", "-U", "-n", "-t", str(server.process.pid)]
    url = f"http://127.0.0.1:{server.port()}/"
    done = subprocess.run([*inside, "curl", "-s", "-m", "20", url], capture_output=True, check=False)
    assert done.stdout == b"hello\n", done.stderr


@needs_root
def test_serve__user_was_named_and_cannot_be_become__one_line_and_exit_3(site: Path, tmp_path: Path) -> None:
    place = a_place(ROOT_WITHOUT_CAPABILITIES)
    code, said = refused_start(place, site, tmp_path, "--stack", "kernel", "--user=nobody")
    assert code == 3
    (line,) = said.splitlines()
    assert "server.user: cannot become nobody: setgroups: Operation not permitted" in line
    assert "CAP_SETUID" in line


def test_serve__user_named_by_config_toml__one_line_and_exit_3(site: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[server]\nuser = "nobody"\n')
    place = a_place(ONE_USER)
    code, said = refused_start(place, site, tmp_path, "--stack", "kernel", "--config", str(config))
    assert (code, len(said.splitlines())) == (3, 1), said
    assert "server.user: cannot become nobody" in said


def test_user__named_in_any_way__is_the_one(site: Path, tmp_path: Path) -> None:
    """Whoever is named like this cannot be another: what a start makes of it is tried above."""
    config = tmp_path / "config.toml"
    config.write_text('[server]\nuser = "nobody"\n')
    for argv, environment in (
        (("--user=nobody",), {}),
        (("--set=server.user=nobody",), {}),
        (("--config", str(config)), {}),
        ((), {"GOSSAMER_SERVER__USER": "nobody"}),
    ):
        printed = gossamer("serve", str(site), "--print-config", *argv, **environment).stdout
        assert tomllib.loads(printed)["server"]["user"] == "nobody", argv


def test_serve__user_namespace_of_one_user__stays_and_warns(serve: Serve) -> None:
    server = serve("--stack", "auto", prefix=a_place(ONE_USER)).wait_ready()
    assert server.get() == (200, b"hello\n")
    (warning,) = warnings(server)
    assert "server.user: workers stay root, without capabilities" in warning
    assert {int(fields(server)[name], 16) for name in ("CapInh", "CapPrm", "CapEff")} == {0}
    assert fields(server)["NoNewPrivs"] == "1"


@needs_root
def test_serve__user_is_root__stays_root_without_a_warning(serve: Serve) -> None:
    place = a_place(ROOT_WITHOUT_CAPABILITIES)
    server = serve("--stack", "kernel", "--user", "root", prefix=place).wait_ready()
    assert warnings(server) == []


@needs_root
@pytest.mark.parametrize(
    ("rule", "said", "stays_root"),
    [
        ("setgroups", "cannot become nobody: setgroups: Operation not permitted", True),
        ("!setgroups", "cannot become nobody: it is killed by SIGSYS", True),
        ("capset", "with all rights: cannot become nobody: capset: Operation not permitted", True),
        ("!" + NO_NEW_PRIVS, "it is killed by SIGSYS: a program that a worker starts", False),
    ],
)
def test_serve__one_call_is_refused__serves_and_says_so_in_one_line(
    serve: Serve, rule: str, said: str, stays_root: bool
) -> None:
    server = serve(prefix=a_place(refusing(rule))).wait_ready()
    (warning,) = warnings(server)
    assert said in warning
    serves_as(server, "0" if stays_root else "65534")


@needs_root
def test_serve__calls_that_it_does_without_are_refused__no_warning_and_serves(serve: Serve) -> None:
    server = serve(prefix=a_place(refusing(KEEPCAPS, "capget"))).wait_ready()
    assert warnings(server) == []
    serves_as(server, "65534")


@needs_root
def test_serve__every_prctl_is_refused__a_warning_and_serves(serve: Serve) -> None:
    server = serve(prefix=a_place(refusing("prctl"))).wait_ready()
    (privileges,) = warnings(server)
    assert "PR_SET_NO_NEW_PRIVS: Operation not permitted: a program that a worker" in privileges
    serves_as(server, "65534")


def serves_as(server: Server, user: str) -> None:
    assert server.get() == (200, b"hello\n")
    assert fields(server)["Uid"].split()[0] == user
    assert "Traceback" not in server.log()
    assert server.status()["workers"][0]["restarts"] == 0


@needs_root
def test_serve__root_lacks_the_network__the_way_out_is_the_containers(site: Path, tmp_path: Path) -> None:
    place = a_place(ROOT_WITHOUT_CAPABILITIES)
    code, said = refused_start(place, site, tmp_path, "--stack", "nfqueue")
    assert (code, len(said.splitlines())) == (3, 1)
    assert "--stack nfqueue" in said
    assert "--cap-add=NET_ADMIN --cap-add=NET_RAW" in said
    assert "sudo" not in said


def test_serve__root_of_a_user_namespace__network_is_tried_not_guessed(site: Path, tmp_path: Path) -> None:
    code, said = refused_start(a_place(ONE_USER), site, tmp_path, "--stack", "nfqueue")
    assert (code, len(said.splitlines())) == (3, 1)
    assert "--cap-add=NET_ADMIN --cap-add=NET_RAW" in said


@pytest.mark.needs("another-user", "net-admin")  # Without the right, that is what is named.
def test_serve__kernel_without_netfilter__the_module_is_named(site: Path, tmp_path: Path) -> None:
    place = a_place(refusing("socket=16:EPROTONOSUPPORT"))
    code, said = refused_start(place, site, tmp_path, "--stack", "nfqueue")
    assert (code, len(said.splitlines())) == (3, 1)
    assert "the kernel lacks the module nfnetlink_queue (Protocol not supported)" in said


COMMANDS = """
import sys
from gossamer.cli.main import main
for words in ("firewall show", "firewall down", "firewall up", "load http://127.0.0.1:1/ --stack nfqueue"):
    sys.argv = ["gossamer", *words.split()]
    try:
        main()
    except SystemExit as end:
        print(end.code)
"""


@needs_root
def test_commands__root_lacks_the_network__the_way_out_is_the_containers() -> None:
    argv = [*a_place(ROOT_WITHOUT_CAPABILITIES), sys.executable, "-c", COMMANDS]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["3"] * 4
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert all("--cap-add=NET_ADMIN" in line for line in lines)
    assert "--cap-add=NET_ADMIN --cap-add=NET_RAW" in lines[-1]
    assert "sudo" not in done.stderr


def ordinary(argv: list[str]) -> list[str]:
    """The command line as an ordinary user."""
    if os.geteuid() != 0:
        return argv
    return [*a_place(("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")), *argv]


def said_in(argv: list[str], code: str) -> str:
    """What a Python of ours prints for `code`."""
    done = subprocess.run([*argv, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 and "Permission denied" in done.stderr:
        pytest.skip(f"needs a {sys.executable} that other users may run")
    assert done.returncode == 0, done.stderr
    return done.stdout


MISSING_RIGHTS = "from gossamer.shards.plan.machine_facts import missing_rights; print(missing_rights())"


@pytest.mark.needs("open-checkout")
def test_missing_rights__ordinary_user__sudo() -> None:
    assert said_in(ordinary([sys.executable]), MISSING_RIGHTS).endswith("start it with sudo\n")


WORKERS_STAY = (
    "from gossamer.shards.confinement.confinement import confine\n"
    "from gossamer.shards.configuration.config import Config, ServerConfig\n"
    "for user in ('auto', 'root', 'daemon'):\n"
    "    print(confine(Config(server=ServerConfig(user=user)), 'kernel')[1])"
)


@pytest.mark.needs("open-checkout")
def test_confine__ordinary_user__stays_and_says_so_where_another_was_named() -> None:
    said = said_in(ordinary([sys.executable]), WORKERS_STAY).splitlines()
    assert [line.count("only root becomes another user") for line in said] == [0, 0, 1]


def test_serve__workers_auto__as_many_as_python_cpu_count(serve: Serve) -> None:
    count = 1 if len(os.sched_getaffinity(0)) > 1 else 2
    server = serve(workers="auto", PYTHON_CPU_COUNT=str(count)).wait_ready()
    assert len(server.status()["workers"]) == count


def test_serve__ill_formed_python_cpu_count__does_not_start(site: Path, tmp_path: Path) -> None:
    prefix = ("env", "PYTHON_CPU_COUNT=two")
    code, said = refused_start(prefix, site, tmp_path, "--stack", "kernel", "--workers", "auto")
    assert code != 0
    assert "Traceback" not in said
    if sys.version_info < (3, 13):
        assert (code, len(said.splitlines())) == (2, 1)
        assert "PYTHON_CPU_COUNT: found 'two'; allowed: a number of at least 1, or 'default'" in said


def test_user_name__auto__one_of_our_own_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.getpwuid(os.geteuid())

    def only(*names: str) -> None:
        monkeypatch.setattr(
            confinement.pwd, "getpwnam", lambda name: {each: _named(entry, each) for each in names}[name]
        )

    only("nobody", "gossamer")
    assert confinement.user_name(Config()) == "gossamer"
    only("nobody")
    assert confinement.user_name(Config()) == "nobody"
    only()
    assert confinement.user_name(Config()) == "nobody"


def _named(entry: pwd.struct_passwd, name: str) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, *tuple(entry)[1:]))
