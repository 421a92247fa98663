"""A run as files: each format holds its figures."""

import base64
import csv
import io
import json
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.environment import environment
from gossamer.loadtest.output.hdrlog import runs, zigzag
from gossamer.loadtest.output.written import FORMATS, check_output, write_output
from gossamer.loadtest.result import result_of
from gossamer.loadtest.summary import whole_summary
from gossamer.loadtest.thresholds import parse_threshold
from gossamer.shards.exitcode import CommandError, ConfigError

from ..virtual_server import perform, random_fates


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    run = perform(
        random_fates(1, 2_000),
        rate=300.0,
        duration_us=3 * SECOND_US,
        thresholds=(parse_threshold("p50<1us"),),
    )
    return whole_summary(result_of(run), "http://a/<x>", "kernel", environment())


def test_csv__a_row_an_interval(found: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS[".csv"](found))))
    assert sum(int(row["answered"]) for row in rows) == found["requests_total"]


def test_json__the_record(found: dict[str, Any]) -> None:
    assert json.loads(FORMATS[".json"](found)) == found


def decoded(text: str) -> list[int]:
    """The counters of an entry, by the published format."""
    cookie, length = struct.unpack(">ii", base64.b64decode(text)[:8])
    data = zlib.decompress(base64.b64decode(text)[8 : 8 + length])
    inner, size, _, digits, lowest, _, ratio = struct.unpack(">iiiiqqd", data[:40])
    assert (cookie & ~0xF0, inner & ~0xF0, digits, lowest, ratio) == (0x1C849304, 0x1C849303, 2, 1, 1.0)
    lanes: list[int] = []
    value = shift = 0
    for octet in data[40 : 40 + size]:
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            number = (value >> 1) ^ -(value & 1)
            lanes += [0] * -number if number < 0 else [number]
            value = shift = 0
    return lanes


def test_hlog__entries__hold_the_counters(found: dict[str, Any]) -> None:
    lines = FORMATS[".hlog"](found).splitlines()
    entries = [line.split(",") for line in lines if line[0].isdigit()]
    total = sum(sum(decoded(entry[3])) for entry in entries)
    assert total == found["due_total"]
    first = decoded(entries[0][3])
    counts = found["timeline"][0]["counts"]
    assert first[counts[0]] == counts[1]


def test_hlog__runs_of_zeros() -> None:
    assert list(runs([0, 5, 0, 0, 0, 7])) == [0, 5, -3, 7]
    assert zigzag(-3) == b"\x05"
    assert zigzag(300) == b"\xd8\x04"


def test_om__ends_and_each_line_is_of_the_format(found: dict[str, Any]) -> None:
    lines = FORMATS[".om"](found).splitlines()
    assert lines[-1] == "# EOF"
    sample = re.compile(r'[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? -?[0-9.e+-]+')
    assert [line for line in lines if line[0] != "#" and not sample.fullmatch(line)] == []
    assert f'gossamer_load_requests_total{{outcome="answered"}} {found["requests_total"]}' in lines


def test_html__one_page__nothing_from_elsewhere(found: dict[str, Any]) -> None:
    text = FORMATS[".html"](found)
    assert not re.search(r"(src|href)=|url\(|@import|<script", text)
    assert "http://a/&lt;x&gt;" in text
    assert "MISSED p50&lt;1us" in text
    charts = re.findall(r"<svg.*?</svg>", text)
    assert len(charts) == 5
    assert all(len(ET.fromstring(each)) > 5 for each in charts)
    assert "nan" not in "".join(charts)


def test_html__a_run_of_nothing__a_page() -> None:
    empty = whole_summary(
        result_of(perform(random_fates(1, 2_000), lambda: (0, False))), "u", "kernel", environment()
    )
    assert "<h2>Times</h2>" in FORMATS[".html"](empty)


def test_output__wrong_names__one_line_before_anything_is_sent(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "a.pdf", "ends in"), (tmp_path / "no" / "a.csv", "is not there")):
        with pytest.raises(ConfigError, match=said):
            check_output(path)
    check_output(tmp_path / "a.csv")


def test_output__cannot_be_written__one_line(tmp_path: Path, found: dict[str, Any]) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(CommandError, match="Is a directory"):
        write_output(tmp_path / "a.csv", found)
