"""Paths that ask for a password: no way around, and no try more than needs be."""

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.core.errors import BoundExceeded
from gossamer.shards.web.guard import REMEMBERED_MAX, TRIED_AT_ONCE, WAITING_MAX
from gossamer.shards.web.passwords import SCRYPT, password_line


def basic(user: str, password: str) -> str:
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


ADA = basic("ada", "secret")


@pytest.fixture(scope="module")
def line() -> str:
    return password_line("ada", "secret", b"salt" * 4)


@pytest.fixture
def guarded(bench: Any, line: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A site of which two folders ask for a password."""
    folder = tmp_path_factory.mktemp("users")
    for name in ("ada", "eve"):
        (folder / name).write_text(line.replace("ada", name))
    bench.write("private/page.html", b"mine")
    bench.write("private/deep/page.txt", b"deep")
    bench.write("privateer.txt", b"public")
    bench.rebuild(
        auth={"/private/": str(folder / "ada"), "/private/deep/": str(folder / "eve")},
        rewrites={"/open/*": "/private/*"},
        redirects={"/private/old": "/private/new"},
        fallback="index.html",
        clean_urls=True,
    )
    return bench


def test_right_password__served_and_logged(guarded: Any) -> None:
    noted: list[Any] = []
    guarded.site.access_log = lambda *note: noted.append(note[-1])
    for _ in range(2):
        got = guarded.get("/private/page", ADA)
        assert (got.statuses, got.bodies) == ([200], [b"mine"])
    guarded.get("/plain.txt", ADA)
    assert noted == ["ada", "ada", ""]


@pytest.mark.parametrize(
    "target",
    [
        "/private",
        "/private/",
        "/private/page.html",
        "/private/page",
        "/privat%65/page.html",
        "//private//page.html",
        "/x/../private/./page.html",
        "/private/absent",
        "/private/old",
        "/open/page.html",
        "/open/deep/page.txt",
        "http://other.example/private/page.html",
    ],
)
def test_no_password__401_on_every_way_there(guarded: Any, target: str) -> None:
    for fields in ([], [basic("ada", "wrong")], [basic("bob", "secret")], ["Authorization: Bearer x"]):
        got = guarded.get(target, *fields)
        assert got.statuses == [401]
        assert got.field("www-authenticate").startswith('Basic realm="/private/')
        assert b"mine" not in got.bodies[0]


PIECES = st.sampled_from(
    [
        *("/", "//", "/./", "/../", "private", "open", "page", ".html", "page.html", "deep", "page.txt"),
        *("privat%65", "%2f", "%2e%2e", "%5c", "%00", "\\", ";", "?", "%", ".", "index", ".gz", "PRIVATE"),
        *("http://a", "%C3%BC"),
    ]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=7))
def test_any_target_without_a_password__nothing_of_it_and_no_error(guarded: Any, pieces: list[str]) -> None:
    got = guarded.get("/" + "".join(pieces))
    assert got.statuses[0] < 500
    assert b"mine" not in got.bodies[0]
    assert b"deep" not in got.bodies[0]


def test_deeper_part__has_its_own_users(guarded: Any) -> None:
    assert guarded.get("/private/deep/page.txt", ADA).statuses == [401]
    assert guarded.get("/private/deep/page.txt", basic("eve", "secret")).bodies == [b"deep"]
    assert guarded.get("/private/page", basic("eve", "secret")).statuses == [401]


def test_outside__nothing_is_asked(guarded: Any) -> None:
    assert guarded.get("/privateer.txt").bodies == [b"public"]
    assert guarded.get("/plain.txt", basic("ada", "wrong")).statuses == [200]


def test_right_one__tried_once__wrong_ones_each_time__bounded(guarded: Any) -> None:
    guard, tried = guarded.site.guard, []
    part = guard.parts[-1]
    part.users = {"ada": lambda password: tried.append(password) or password.startswith("secret")}
    part.anybody = part.users["ada"]
    for _ in range(3):
        guarded.get("/private/page", ADA)
        guarded.get("/private/page", basic("ada", "wrong"))
        guarded.clock.advance(2_000_000)
    assert tried == ["secret", "wrong", "wrong", "wrong"]
    for number in range(REMEMBERED_MAX + 5):
        guard.remember(number.to_bytes(8, "big"))
    assert len(guard.remembered) == REMEMBERED_MAX


def test_too_many_tries__503(guarded: Any) -> None:
    def full(_password: str) -> bool:
        raise BoundExceeded("the queue of the pool is full")

    guard = guarded.site.guard
    guard.parts[-1].users, users = {"ada": full}, guard.parts[-1].users
    assert guarded.get("/private/page", ADA).statuses == [503]
    assert guard.waiting == 0
    guard.parts[-1].users, guard.waiting = users, TRIED_AT_ONCE + WAITING_MAX
    assert guarded.get("/private/page", ADA).statuses == [503]


def test_scrypt__the_form_of_a_line(line: str) -> None:
    assert SCRYPT.fullmatch(line.partition(":")[2])
