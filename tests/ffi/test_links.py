"""What the links of this host's addresses carry, and that it stays true."""

import contextlib
import select
from collections.abc import Iterator

import pytest

from gossamer.core.wire.flow import pack_address
from gossamer.ffi.links import LocalLinks
from gossamer.loadtest.namespaces import LEFT_V4, LEFT_V6, RIGHT_V4, Namespace

pytestmark = pytest.mark.needs("namespaces")


@pytest.fixture
def links(joined_namespaces: tuple[Namespace, Namespace]) -> Iterator[LocalLinks]:
    """Of the namespace on the left."""
    with joined_namespaces[0].entered():
        known = LocalLinks()
    with contextlib.closing(known):
        yield known


@pytest.mark.parametrize("address", [LEFT_V4, LEFT_V6])
def test_mtu__own_address__of_its_link_though_it_changes(
    joined_namespaces: tuple[Namespace, Namespace], links: LocalLinks, address: str
) -> None:
    assert links.mtu(pack_address(address)) == 1_500
    joined_namespaces[0].run(["ip", "link", "set", "eth0", "mtu", "1400"])
    assert select.select([links.fd], [], [], 5)[0], "it hears of it"
    with joined_namespaces[0].entered():
        links.take_changes(1)
    assert links.mtu(pack_address(address)) == 1_400


@pytest.mark.parametrize("address", [RIGHT_V4, "2001:db8::77"])
def test_mtu__address_of_others__not_known(links: LocalLinks, address: str) -> None:
    assert links.mtu(pack_address(address)) == 0


def test_close__twice__harmless(links: LocalLinks) -> None:
    links.close()
    links.close()
