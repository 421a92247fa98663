"""103 (Early Hints): before the answer to a navigation, and to nobody else."""

from typing import Any

import pytest

LINKS = ["</style.css>; rel=preload; as=style", "<https://cdn.example>; rel=preconnect"]
HINTS = (
    b"HTTP/1.1 103 Early Hints\r\n" + b"".join(b"Link: %s\r\n" % link.encode() for link in LINKS) + b"\r\n"
)
NAVIGATES = "Sec-Fetch-Mode: navigate"


@pytest.fixture
def hinting(bench: Any) -> Any:
    bench.rebuild(early_hints={"/": LINKS, "*.html": LINKS[:1]})
    return bench


def sent(bench: Any, data: bytes) -> list[bytes]:
    stream = bench.stream(data)
    bench.serve(stream)
    return list(stream.sends)


def test_navigation__hints_first_and_links_in_the_answer(hinting: Any, build: Any) -> None:
    first, answer = sent(hinting, build("/", NAVIGATES))
    assert first == HINTS
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"\r\nLink: ") == 2
    hot = sent(hinting, build("/", NAVIGATES))
    assert hot == [answer], "an answer that is ready needs no hints"


@pytest.mark.parametrize(
    ("target", "fields", "method", "version"),
    [
        ("/", [], "GET", "1.1"),
        ("/", ["Sec-Fetch-Mode: cors"], "GET", "1.1"),
        ("/", [NAVIGATES], "HEAD", "1.1"),
        ("/", [NAVIGATES], "GET", "1.0"),
        ("/plain.txt", [NAVIGATES], "GET", "1.1"),
    ],
)
def test_anybody_else__none(
    hinting: Any, build: Any, target: str, fields: list[str], method: str, version: str
) -> None:
    data = build(target, *fields, method=method, version=version)
    assert not any(piece.startswith(b"HTTP/1.1 103") for piece in sent(hinting, data))


def test_path_that_asks_for_a_password__says_nothing_before(hinting: Any, build: Any, tmp_path: Any) -> None:
    users = tmp_path / "users"
    users.write_text("ada:$scrypt$ln=1,r=1,p=1$c2FsdHNhbHQ$o9wWS0wcoSrAO1MpWCoMDw\n")
    hinting.rebuild(early_hints={"/": LINKS}, auth={"/": str(users)})
    (answer,) = sent(hinting, build("/", NAVIGATES))
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"Link" not in answer
