"""What src/slot.c makes."""

from typing import Any

def write_slot(
    memory: Any,
    head_at: int,
    content_at: int,
    sequence: int,
    note: bytes,
    stem: bytes,
    checksum: int,
    kept: int,
    octets: bytes,
    /,
) -> None: ...
