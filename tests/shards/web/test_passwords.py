"""Files of passwords: what htpasswd and we write is read, anything else is told with its line."""

from pathlib import Path

import pytest

from gossamer.shards.web.passwords import PasswordFileError, password_line, read_passwords, verifier

# Of "secret"; the last of "Hello world!", from the text that specifies SHA-crypt.
SCRYPT = "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$o9wWS0wcoSrAO1MpWCoMD+Y2j7D5gWZmjSnVLCvAzGc"
APR1 = "$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users"


def test_own_line__read_again_and_its_password_alone_is_right(file: Path) -> None:
    file.write_text(f"# who may\n\n{password_line('ada', 'pässword', b'salt' * 4)}\n")
    users = read_passwords(str(file))
    assert list(users) == ["ada"]
    assert users["ada"]("pässword")
    assert not users["ada"]("password")


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "#a"])
def test_own_line__a_name_that_cannot_stand_there__refused(name: str) -> None:
    with pytest.raises(ValueError, match="allowed: a name without a colon"):
        password_line(name, "x", b"salt")


def test_hashes_of_htpasswd__by_the_library() -> None:
    schemes = pytest.importorskip("passlib.hash")
    for scheme in (schemes.apr_md5_crypt, schemes.bcrypt.using(rounds=4), schemes.ldap_sha1):
        verify = verifier(scheme.hash("secret"), set())
        assert verify("secret")
        assert not verify("secres")
        assert not verify("x" * 1000)


def test_many_hashes__a_scheme_is_tried_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scheme, tried = pytest.importorskip("passlib.hash").ldap_sha1, []
    hashed = scheme.hash("secret")
    file.write_text("".join(f"user{number}:{hashed}\n" for number in range(50)))
    monkeypatch.setattr(scheme, "verify", lambda *_: tried.append(1))
    assert len(read_passwords(str(file))) == 50
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it names nobody; gossamer password NAME"),
        ("ada\n", "line 1: found no name and hash"),
        ("# x\n:hash\n", "line 2: found no name and hash"),
        ("ada:plain\n", "line 1: found (no hash that is known here|a hash that is no scrypt)"),
        ("ada:$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA\n", "line 1: found"),
        ("x" * 1_100_000, "more than 1048576 bytes"),
    ],
)
def test_read__no_such_file__one_line(file: Path, content: str, said: str) -> None:
    file.write_text(content)
    with pytest.raises(PasswordFileError, match=f"{file}.*{said}"):
        read_passwords(str(file))


def test_read__absent__one_line(file: Path) -> None:
    with pytest.raises(PasswordFileError, match="users: No such file"):
        read_passwords(str(file))
