"""The byte fuzzer: every volley of the corpus again, a few rounds of a seed, and what it finds."""

from pathlib import Path

import pytest

from gossamer.core.records import replace
from gossamer.core.sim.fuzz.campaign import Campaign, breaks, fired, load, save, shortened
from gossamer.core.sim.fuzz.shot import Heard, Shot, packet_of
from gossamer.core.sim.fuzz.victim import ANSWERS_FIRST_MAX, GREETER, Breach, Victim
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.segment import ACK, FIN, SYN, Segment

CORPUS = sorted((Path(__file__).parents[3] / "fuzz" / "corpus").glob("*.json"))
CORPUS_BYTES_MAX = 200_000
HANDSHAKE = (Shot(flags=SYN), Shot())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus__every_volley_again__nothing_breaks(path: Path) -> None:
    _, error = fired(load(path))
    assert error is None, f"replay: python -m gossamer.core.sim.fuzz --replay {path}"


def test_corpus__is_there_and_small() -> None:
    assert len(CORPUS) > 20
    assert sum(path.stat().st_size for path in CORPUS) < CORPUS_BYTES_MAX


def test_corpus__reaches_every_state_and_most_drops() -> None:
    reached: set[str] = set()
    for path in CORPUS:
        reached |= fired(load(path))[0]
    entered = {feature.split(" -> ")[1] for feature in reached if " -> " in feature}
    assert entered >= {"SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "FIN_WAIT_1", "FIN_WAIT_2"}
    assert entered >= {"TIME_WAIT", "CLOSED"}
    assert len({feature.split("drop_")[1] for feature in reached if "drop_" in feature}) > 22


@pytest.mark.parametrize("seed", range(3))
def test_rounds__of_a_seed__nothing_breaks(seed: int) -> None:
    campaign = Campaign([load(path) for path in CORPUS[seed::3]], seed)
    for _ in range(40):
        campaign.round()
    assert not campaign.crashes, campaign.crashes
    assert len(campaign.features) > 40


def test_rounds__the_same_seed__the_same_features() -> None:
    one, other = Campaign([], 9), Campaign([], 9)
    for _ in range(20):
        one.round()
        other.round()
    assert one.features == other.features


def test_shot__undamaged__is_the_packet_that_would_be_right() -> None:
    flow = pack_flow(("10.0.0.9", 7), ("10.0.0.2", 80))
    heard = Heard(seq_end=500, ack=9_000, ts_val=77)
    parsed = parse_packet(packet_of(Shot(ts=0, payload_bytes=3, sack=((-20, -10),)), flow, heard, 5_000_000))
    assert isinstance(parsed, tuple)
    assert parsed[1] == Segment(9_000, 500, ACK, 65_535, 5_000, 77, bytes((0, 1, 2)), ((480, 490),))


def test_shot__damaged_and_repaired__is_still_a_packet() -> None:
    flow = pack_flow(("10.0.0.9", 7), ("10.0.0.2", 80))
    shot = Shot(damage=((33, SYN),), cut_bytes=0)
    parsed = parse_packet(packet_of(shot, flow, Heard(), 0))
    assert isinstance(parsed, tuple)
    assert parsed[1].flags == SYN
    broken = replace(shot, is_repaired=False)
    assert not isinstance(parse_packet(packet_of(broken, flow, Heard(), 0)), tuple)


def test_shot__icmp__quotes_what_the_victim_sent() -> None:
    victim = Victim()
    victim.take((*HANDSHAKE, Shot(icmp=(3, 4, 68)), Shot(icmp=(3, 3, 0))))
    assert "ESTABLISHED drop_icmp_bad_checksum" not in victim.features


def test_victim__a_whole_connection__goes_through_its_states() -> None:
    victim = Victim()
    victim.take(tuple(Shot(flags=flags, port=GREETER) for flags in (SYN, ACK, ACK, ACK | FIN)))
    entered = {feature.split(" -> ")[1] for feature in victim.features if " -> " in feature}
    assert {"SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"} <= entered, victim.features


def test_breach__too_many_answers__is_found_cut_down_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.core.sim.fuzz.victim.ANSWERS_FIRST_MAX", -ANSWERS_FIRST_MAX)
    idle = tuple(Shot(port=85, flags=0x04) for _ in range(3))
    _, error = fired((*idle, *HANDSHAKE))
    assert isinstance(error, Breach)
    short = shortened((*idle, *HANDSHAKE), breaks)
    assert len(short) == 1
    assert load(save(tmp_path, short, "crash")) == short
