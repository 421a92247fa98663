"""A file of users and hashes of their passwords, as htpasswd writes it.

    ada:$scrypt$ln=14,r=8,p=1$c2FsdA$...       `gossamer password ada`, by Python's own scrypt
    bob:$2y$05$...                             htpasswd -B
    eve:$apr1$...                              htpasswd

Owns how a file is read and which hashes are known. All but scrypt are the library's (`gossamer[auth]`), which
is loaded when a worker starts: the user that it becomes may not be able to read it.

Source: RFC 7914 (scrypt); the modular crypt format of passlib.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import scrypt
from hmac import compare_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

FILE_BYTES_MAX: Final = 1 << 20
Verify = Callable[[str], bool]
"""Whether a password is the one of a hash; takes its time."""

SCRYPT: Final = re.compile(
    r"\$scrypt\$ln=([1-9]|1[0-7]),r=([1-9]|1[0-6]),p=([1-9])\$([A-Za-z0-9+/]{8,})\$([A-Za-z0-9+/]{16,})"
)
LN, R, P = 14, 8, 1
"""N is 2^14: 16 MiB and some 30 ms for each try."""
KEY_BYTES: Final = 32
MEMORY_BYTES_MAX: Final = 512 << 20

FOREIGN: Final = ("bcrypt", "apr_md5_crypt", "sha512_crypt", "sha256_crypt", "ldap_sha1")
"""The library's names of what htpasswd writes, the best first."""


class PasswordFileError(ValueError):
    """The file cannot be read as one; the message names it, the line, and the way out."""


def read_passwords(path: str) -> Mapping[str, Verify]:
    """The users of a file. Raises: PasswordFileError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise PasswordFileError(f"{path}: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise PasswordFileError(f"{path}: more than {FILE_BYTES_MAX} bytes")
    found: dict[str, Verify] = {}
    tried: set[str] = set()
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            user, colon, hashed = line.strip().partition(":")
            try:
                if not user or not colon:
                    raise ValueError("found no name and hash with a colon between")
                found[user] = verifier(hashed, tried)
            except ValueError as error:
                raise PasswordFileError(f"{path}, line {number}: {error}") from error
    if not found:
        raise PasswordFileError(f"{path}: it names nobody; gossamer password NAME writes a line")
    return found


def require_passwords(table: Mapping[str, str]) -> None:
    """Raises: PasswordFileError where a file of the table cannot be used."""
    for path in table.values():
        read_passwords(path)


def verifier(hashed: str, tried: set[str]) -> Verify:
    """What compares with a hash. Raises: ValueError for one that nobody here knows. Adds to the schemes that
    were `tried`.
    """
    match = SCRYPT.fullmatch(hashed)
    if match is not None:
        ln, r, p = (int(match[at]) for at in (1, 2, 3))
        salt, key = decoded(match[4]), decoded(match[5])
        return lambda password: compare_digest(derived(password, salt, ln, r, p, len(key)), key)
    if find_spec("passlib") is None:
        raise ValueError("found a hash that is no scrypt; allowed with: pip install 'gossamer[auth]'")
    return foreign_verifier(hashed, tried)


def foreign_verifier(hashed: str, tried: set[str]) -> Verify:
    """The same by the library. Raises: ValueError."""
    from passlib import hash as schemes

    for name in FOREIGN:
        scheme = getattr(schemes, name)
        if scheme.identify(hashed):
            if name not in tried:
                # Whatever it loads is loaded now. Once: each takes its time, and there may be many.
                scheme.verify("", hashed)
                tried.add(name)
            return lambda password: is_right(scheme, password, hashed)
    raise ValueError("found no hash that is known here; allowed: scrypt, bcrypt, apr1, SHA")


def is_right(scheme: Any, password: str, hashed: str) -> bool:
    """Whether it is the password of a hash; one that the scheme takes for none (too long a one) is not."""
    try:
        return bool(scheme.verify(password, hashed))
    except ValueError:
        return False


def derived(password: str, salt: bytes, ln: int, r: int, p: int, length: int) -> bytes:
    """The key that scrypt makes of a password."""
    return scrypt(
        password.encode("utf-8"), salt=salt, n=1 << ln, r=r, p=p, maxmem=MEMORY_BYTES_MAX, dklen=length
    )


def password_line(user: str, password: str, salt: bytes) -> str:
    """A line of a file. Raises: ValueError for a name that cannot stand there."""
    if not user or ":" in user or not user.isprintable() or user.startswith("#"):
        raise ValueError(f"found {user!r}; allowed: a name without a colon, and no # in front")
    key = derived(password, salt, LN, R, P, KEY_BYTES)
    return f"{user}:$scrypt$ln={LN},r={R},p={P}${encoded(salt)}${encoded(key)}"


def encoded(octets: bytes) -> str:
    """Base64 without its padding."""
    return b64encode(octets).decode("ascii").rstrip("=")


def decoded(text: str) -> bytes:
    """What was encoded. Raises: ValueError."""
    return b64decode(text + "=" * (-len(text) % 4), validate=True)
