"""The native build: chosen as asked for, and equal to the sources in all that is seen of it."""

import copy
import json
import os
import pickle
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from gossamer.core import native
from gossamer.core.records import fields, is_record, replace
from gossamer.core.sim import states
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import Segment

CONNECTIONS = int(os.environ.get("GOSSAMER_DIGEST_CONNECTIONS", "60"))
PROGRAM = Path(__file__).parent / "random_connections.py"
SEED = 7


def run_as(build: str) -> list[str]:
    """What the program of random connections prints in that build."""
    environment = {**os.environ, native.VARIABLE: build}
    command = [sys.executable, str(PROGRAM), str(CONNECTIONS), str(SEED)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(
    native.obstacle() != "", reason=f"{native.obstacle()}: `make test-native` builds and runs it"
)
def test_random_connections__both_builds__the_same_in_every_step() -> None:
    interpreted, compiled = run_as("0"), run_as("1")
    assert (interpreted[0], compiled[0]) == ("interpreted", "native")
    assert interpreted[1] == compiled[1]


def test_record__a_field_set__refused() -> None:
    with pytest.raises(AttributeError):
        states.established().snd_wnd = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del Segment(1, 2, 3, 4).seq


def test_record__equal_fields__equal_and_hashed_alike() -> None:
    one, other = Segment(1, 2, 3, 4, payload=b"x"), Segment(1, 2, 3, 4, payload=b"x")
    assert one == other
    assert hash(one) == hash(other)
    assert one != replace(other, seq=2)
    assert one != (1, 2, 3, 4)


def test_record__shown__as_the_call_that_makes_it() -> None:
    shown = repr(states.established().round_trip)
    assert shown.startswith("RoundTrip(srtt_us=0, rttvar_us=0, rto_us=1000000, ")


@pytest.mark.parametrize(
    "record", [Segment(1, 2, 3, 4, sack=((5, 6),)), states.established()], ids=["segment", "tcb"]
)
def test_record__copied_and_pickled__equal(record: object) -> None:
    assert copy.copy(record) == record
    assert pickle.loads(pickle.dumps(record)) == record


def test_record__matched_by_place__binds_its_fields() -> None:
    match Segment(1, 2, 3, 4):
        case Segment(seq, ack):
            assert (seq, ack) == (1, 2)


def test_record__wrong_arguments__type_error() -> None:
    with pytest.raises(TypeError):
        Segment(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        replace(Segment(1, 2, 3, 4), no_such_field=1)


def test_fields__of_a_connection__names_types_and_defaults() -> None:
    assert is_record(states.established())
    assert not is_record((1, 2))
    found = {field.name: field for field in fields(Tcb)}
    assert list(found)[:3] == ["rcv_nxt", "snd_una", "snd_nxt"]
    assert found["backoff"].type is int
    assert found["backoff"].default == 0


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a build, where nothing lies yet, and no build that runs."""
    monkeypatch.setattr(native, "COMPILED", tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, native.NativeFinder)]
    return tmp_path


def built(folder: Path, digest: str) -> None:
    manifest = {"sources": ["core/seq.py"], "digest": digest, "modules": ["gossamer.core.seq"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


DIGEST = sha256((native.PACKAGE / "core/seq.py").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("wanted", "digest", "runs"),
    [
        ("", "", "interpreted (there is no native build for this Python)"),
        ("", DIGEST, "native"),
        ("", "another", "interpreted (the native build is of other sources)"),
        ("0", DIGEST, "interpreted (GOSSAMER_NATIVE=0)"),
        ("1", DIGEST, "native"),
    ],
)
def test_choose__what_is_wanted_and_there__runs(
    compiled: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, digest: str, runs: str
) -> None:
    monkeypatch.setenv(native.VARIABLE, wanted)
    if digest:
        built(compiled, digest)
    native.choose()
    assert native.running() == runs
    assert native.inherited() == ({} if runs == "native" else {native.VARIABLE: "0"})


@pytest.mark.parametrize(
    ("wanted", "digest", "says"),
    [
        ("1", "", "GOSSAMER_NATIVE=1: there is no native build for this Python; `make native` builds it"),
        ("1", "another", "GOSSAMER_NATIVE=1: the native build is of other sources; `make native` builds it"),
        ("yes", "", "GOSSAMER_NATIVE: found 'yes', allowed is 0, 1, or nothing"),
    ],
)
def test_choose__cannot_be__ends_with_a_line(
    compiled: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, digest: str, says: str
) -> None:
    monkeypatch.setenv(native.VARIABLE, wanted)
    if digest:
        built(compiled, digest)
    with pytest.raises(SystemExit) as ended:
        native.choose()
    assert ended.value.code == says


def test_find_spec__a_package_a_module_and_what_they_share__each_its_file(tmp_path: Path) -> None:
    package, module = "gossamer.core.tcp.prediction", "gossamer.core.seq"
    finder = native.NativeFinder(tmp_path, [package, module])
    found = {}
    for name in (package, module, native.LIBRARY, "gossamer.core.tcp.info"):
        spec = finder.find_spec(name, None)
        found[name] = spec and (spec.origin, spec.submodule_search_locations)
    assert found == {
        package: (
            f"{tmp_path}/{package}.__init__{native.SUFFIX}",
            [str(native.PACKAGE / "core/tcp/prediction")],
        ),
        module: (f"{tmp_path}/{module}{native.SUFFIX}", None),
        native.LIBRARY: (f"{tmp_path}/{native.LIBRARY}{native.SUFFIX}", None),
        "gossamer.core.tcp.info": None,
    }


@pytest.mark.skipif(not native.is_native(), reason="of the native build")
@pytest.mark.parametrize("package", ["prediction", "timeouts", "segment_arrives", "congestion.bbr"])
def test_package__imported_before_anything_else__is_the_native_one(package: str) -> None:
    program = f"import sys, gossamer.core.tcp.{package} as found; print(found.__file__)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip().endswith(native.SUFFIX)
