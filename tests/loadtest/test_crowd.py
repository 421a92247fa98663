"""The crowd of clients: what it asks for, and that all kinds meet what a server does."""

import contextlib
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from gossamer.loadtest.crowd import BODY, BULK, HALVES, KEPT, KINDS, ONE_EACH, Crowd, CrowdSize, write_site

from .odd_servers import End, odd_server, sized


def test_write_site__large_file__of_that_length_and_digest(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", 100_000)
    octets = (site.folder / BULK).read_bytes()
    assert (len(octets), hashlib.sha256(octets).digest()) == (site.bulk.body_bytes, site.bulk.sha256)
    assert octets[:50_000] != octets[50_000:]


def test_crowd__every_kind__asks_and_is_told_apart(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", 1_000)
    happened: list[str] = []
    with odd_server((sized(BODY), End.KEEP)) as url:
        address = ("127.0.0.1", urlsplit(url).port or 0)
        with Crowd(address, CrowdSize(2, 0, 0, 1_000), site, contextlib.nullcontext) as crowd:
            crowd.meet(lambda: happened.append("it"))
            found = crowd.end()
    assert tuple(found) == KINDS
    assert found[HALVES].answered == 15  # Six before and six behind it, and three of them asked before.
    assert found[KEPT].answered >= 1
    assert found[ONE_EACH].answered == 0
    assert not any(met.lost for met in found.values())
    assert happened == ["it"]
