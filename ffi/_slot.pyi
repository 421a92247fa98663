"""What src/slot.c makes."""

from typing import Any

def write_slot(
    memory: Any,
    begin: int,
    sequence: int,
    note: bytes,
    stem: bytes,
    checksum: int,
    is_there: bool,
    octets: bytes,
    /,
) -> None: ...
