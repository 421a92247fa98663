"""The C parser never touches memory outside a packet, whatever the packet says of its own length."""

import ctypes
import mmap
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.flow import MAPPED_PREFIX
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import Segment
from gossamer.ffi._packet import ffi, lib

PAGE_BYTES = mmap.PAGESIZE


@pytest.fixture
def guarded() -> Iterator[Any]:
    """Sixteen pages of memory whose end is followed by a page that may not be touched."""
    pages = 16
    memory = mmap.mmap(-1, (pages + 1) * PAGE_BYTES)
    view = ffi.from_buffer("uint8_t[]", memory)
    address = int(ffi.cast("uintptr_t", view))
    libc = ctypes.CDLL(None, use_errno=True)
    guard = ctypes.c_void_p(address + pages * PAGE_BYTES)
    assert libc.mprotect(guard, ctypes.c_size_t(PAGE_BYTES), 0) == 0
    yield memory, view, pages * PAGE_BYTES
    assert libc.mprotect(guard, ctypes.c_size_t(PAGE_BYTES), mmap.PROT_READ | mmap.PROT_WRITE) == 0
    ffi.release(view)
    memory.close()


def headed_again(packet: bytes) -> bytes:
    """The packet with a right total length and header checksum, as far as it is IPv4."""
    if packet[0] >> 4 != 4:
        return packet
    fixed = packet[:2] + len(packet).to_bytes(2, "big") + packet[4:10] + bytes(2) + packet[12:]
    return fixed[:10] + checksum(fixed[: (fixed[0] & 15) * 4]).to_bytes(2, "big") + fixed[12:]


def noisy_packet(rng: random.Random) -> bytes:
    """A packet with lengths, offsets and options that lie."""
    family = rng.choice((4, 16))
    prefix = MAPPED_PREFIX if family == 4 else b""
    flow = prefix + rng.randbytes(family) + prefix + rng.randbytes(family) + rng.randbytes(4)
    packet = bytearray(
        build_packet(flow, Segment(1, 2, rng.getrandbits(8), 4, 5, 6, rng.randbytes(rng.randrange(50))))
    )
    for _ in range(rng.randrange(4)):
        packet[rng.randrange(len(packet))] = rng.getrandbits(8)
    if rng.random() < 0.5:
        packet[0] = rng.choice((0x45, 0x46, 0x4F, 0x60))
    whole = bytes(packet[: rng.randrange(len(packet) + 1)] if rng.random() < 0.5 else packet)
    return headed_again(whole) if len(whole) >= 20 and rng.random() < 0.7 else whole


def test_parse__packets_at_the_very_end_of_memory__never_read_behind_it(guarded: Any) -> None:
    memory, view, end = guarded
    rng = random.Random(20_000)
    record, side = ffi.new("struct in_record *"), ffi.new("struct side_record *")
    seen = set()
    for _ in range(20_000):
        packet = noisy_packet(rng)
        memory[end - len(packet) : end] = packet
        seen.add(lib.packet_parse(view, end - len(packet), len(packet), rng.randrange(2), record, side))
    assert len(seen) > 10, f"the packets tried reach only {sorted(seen)}"


SOURCES = Path(__file__).parents[2] / "ffi" / "src"
HERE = Path(__file__).parent
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.needs("cc")
@pytest.mark.slow
def test_fuzz__built_with_sanitizers__silent(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    names = ("checksum", "upper", "parse_ip", "parse_tcp", "parse_icmp", "build", "frame", "join")
    sources = [str(HERE / "fuzz_packet.c"), *(str(SOURCES / f"{name}.c") for name in names)]
    binary = tmp_path / "fuzz"
    built = subprocess.run(
        [compiler, *SANITIZE, "-I", str(SOURCES), "-o", str(binary), *sources], capture_output=True, text=True
    )
    if built.returncode:
        pytest.skip(f"no sanitizers here: {built.stderr.splitlines()[-1]}")
    rounds = os.environ.get("GOSSAMER_FUZZ_ROUNDS", "100000")
    done = subprocess.run([str(binary), "7", rounds], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[0]) >= 19, f"too few outcomes reached: {done.stdout}"
