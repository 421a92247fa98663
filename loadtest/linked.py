"""Starts the bad link of `loadtest.link` as a process and reads its counts back.

This file owns that process; what a fault is, and who carries packets, is known elsewhere.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.link import Counts
from gossamer.loadtest.namespaces import LEFT_ADDRESSES, RIGHT_ADDRESSES, Namespace, NamespaceError, end

SECONDS_DEFAULT: Final = 120.0


class LinkTotals(msgspec.Struct):
    """What the link did, each way."""

    forth: Counts
    back: Counts


class EmulatedLink:
    """A running link between two namespaces."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.counts: LinkTotals | None = None
        assert process.stdout is not None
        self.output = process.stdout

    def close(self) -> LinkTotals:
        """End it; what it did. Raises: NamespaceError when it had died on its own."""
        if self.counts is None:
            status = end(self.process)
            last = self.output.read().splitlines()
            self.output.close()
            if status != 0 or not last:
                raise NamespaceError(f"the link ended with status {status}")
            self.counts = msgspec.json.decode(last[-1], type=LinkTotals)
        return self.counts


def start_link(
    left: Namespace,
    right: Namespace,
    faults: LinkFaults,
    seed: int = 1,
    seconds: float = SECONDS_DEFAULT,
    left_addresses: Sequence[str] = LEFT_ADDRESSES,
    right_addresses: Sequence[str] = RIGHT_ADDRESSES,
) -> EmulatedLink:
    """Join two namespaces by `link0`; returns when it is up. Raises: NamespaceError."""
    options = {"left": left.name, "right": right.name, "seed": str(seed), "seconds": str(seconds)}
    options |= {field.replace("_", "-"): str(getattr(faults, field)) for field in faults.__struct_fields__}
    argv = [sys.executable, "-P", "-m", "gossamer.loadtest.link"]
    argv += [word for name, value in options.items() for word in (f"--{name}", value)]
    argv += [word for address in left_addresses for word in ("--left-address", address)]
    argv += [word for address in right_addresses for word in ("--right-address", address)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    link = EmulatedLink(process)
    if not link.output.readline():
        end(process)
        link.output.close()
        raise NamespaceError("the link did not come up (its reason stands above)")
    return link


@contextlib.contextmanager
def linked(
    left: Namespace,
    right: Namespace,
    faults: LinkFaults,
    seed: int = 1,
    seconds: float = SECONDS_DEFAULT,
    left_addresses: Sequence[str] = LEFT_ADDRESSES,
    right_addresses: Sequence[str] = RIGHT_ADDRESSES,
) -> Iterator[EmulatedLink]:
    """A link that ends with the block; its counts are in `counts` afterwards."""
    link = start_link(left, right, faults, seed, seconds, left_addresses, right_addresses)
    try:
        yield link
    finally:
        link.close()
