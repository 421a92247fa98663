"""The wheel: one for every Python from 3.11 on, with its licence, all modules, and nothing else."""

import email
import platform
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("core", "ffi", "shards", "loadtest")
WHAT_BUILDS = ("pyproject.toml", "setup.py", "README.md", "LICENSE", *PACKAGES)
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="a Python without the GIL has no stable ABI"
    ),
]


def sources() -> list[str]:
    """The files of the packages that a clone has, without what was built in it."""
    return [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if (path.suffix in (".py", ".pyi", ".c", ".h") and not path.match("ffi/_*.c"))
        or path.name == "py.typed"
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A wheel built aside, and what its builder said."""
    place, wheels = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheels")
    for name in [*WHAT_BUILDS[: -len(PACKAGES)], *sources()]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, place / name)
    command = [sys.executable, "-c", BUILD, str(wheels)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = wheels.glob("*.whl")
    return wheel, done.stdout + done.stderr


def test_wheel__tag__any_python_from_3_11(built: tuple[Path, str]) -> None:
    wheel, _ = built
    tag = f"cp311-abi3-linux_{platform.machine()}"
    assert wheel.name.endswith(f"-{tag}.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/WHEEL"))
        assert email.message_from_bytes(archive.read(name)).get_all("Tag") == [tag]


def test_wheel__metadata__licence_and_bounds(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(archive.read(name))
        (licence,) = (each for each in archive.namelist() if each.endswith("/LICENSE"))
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert (told["License-Expression"], told["License-File"]) == ("BSD-3-Clause", "LICENSE")
    assert told["Requires-Python"] == ">=3.11"
    assert "httptools>=0.6.3" in told.get_all("Requires-Dist", [])
    assert not [each for each in told.get_all("Classifier", []) if each.startswith("License")]


def test_wheel__content__all_modules_and_nothing_else(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name and name[-1] != "/"}
    compiled = {f"gossamer/ffi/{name}.abi3.so" for name in ("_aio", "_packet", "_process")}
    assert found == compiled | {f"gossamer/{name}" for name in sources()}


def test_wheel__built__nothing_is_deprecated(built: tuple[Path, str]) -> None:
    assert [line for line in built[1].splitlines() if "SetuptoolsDeprecation" in line] == []
