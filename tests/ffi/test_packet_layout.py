"""The records and constants that C and Python share have one layout and one value."""

import re
import struct

import pytest

from gossamer.core.wire import record as layout
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.ipv6 import EXTENSION_HEADERS_MAX
from gossamer.ffi._packet import ffi, lib
from gossamer.ffi.hops import HOPS_MAX

IN_FIELDS = (
    "flow",
    "kind",
    "flags",
    "window",
    "seq",
    "ack",
    "ts_val",
    "ts_ecr",
    "payload_offset",
    "payload_length",
)
OUT_FIELDS = (*IN_FIELDS, "options_length", "traffic_class", "cut_bytes", "hop")
SIDE_FIELDS = (
    *("has_timestamp", "sack_permitted", "window_scale", "sack_count", "mss", "urgent", "sack"),
    *("cookie", "user_timeout", "cookie_length", "ecn_option", "ecn_fields"),
)


def offsets_of(packed: struct.Struct) -> list[int]:
    """Where each field of a format begins; a repeated number counts as one field, as a C array does."""
    items = re.findall(r"\d*[a-wyzA-Z]|x+", packed.format)
    return [struct.calcsize("=" + "".join(items[:i])) for i in range(len(items))]


def written_out(packed: struct.Struct) -> struct.Struct:
    """The same format with runs of fields, like 5I, written one by one; arrays (36s, 16s, 8I, 3I) stay."""
    arrays = ("8I", "3I")
    return struct.Struct(
        re.sub(
            r"(\d+)([BHI])", lambda run: run[0] if run[0] in arrays else run[2] * int(run[1]), packed.format
        )
    )


@pytest.mark.parametrize(
    ("name", "packed", "fields"),
    [
        ("in_record", layout.IN_RECORD, (*IN_FIELDS, "ecn", "pieces")),
        ("out_record", layout.OUT_RECORD, OUT_FIELDS),
        ("side_record", layout.SIDE_RECORD, SIDE_FIELDS),
    ],
)
def test_record__layout__same_in_c(name: str, packed: struct.Struct, fields: tuple[str, ...]) -> None:
    assert ffi.sizeof(f"struct {name}") == packed.size
    assert [ffi.offsetof(f"struct {name}", field) for field in fields] == offsets_of(written_out(packed))


def test_constants__same_in_c() -> None:
    assert (lib.SUPER_SEGMENT_BYTES_MAX, lib.HOPS_MAX) == (SUPER_SEGMENT_BYTES_MAX, HOPS_MAX)
    for reason in DropReason:
        assert getattr(lib, reason.name) == reason
    for name in (
        *(
            "KIND_PLAIN",
            "KIND_TIMESTAMP",
            "KIND_OPTIONS",
            "KIND_ICMP",
            "OUT_PLAIN",
            "OUT_TIMESTAMP",
            "OUT_AE",
        ),
        *("RECORD_AE", "ECN_ORDER_1", "COOKIE_EXPERIMENT"),
    ):
        assert getattr(lib, name) == getattr(layout, name)
    assert lib.EXTENSION_HEADERS_MAX == EXTENSION_HEADERS_MAX
