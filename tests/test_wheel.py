"""The wheel: one for every Python from 3.11 on, with its licence, all modules, and nothing else."""

import email
import platform
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SAID = "said"
PACKAGES = ("gossamer", "core", "ffi", "shards", "loadtest")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "config.toml")
BUILT = shutil.ignore_patterns("__pycache__", "_*.c", "_*.o", "*.so")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="a Python without the GIL has no stable ABI"
    ),
]


def modules() -> set[str]:
    """The modules and stubs of a clone, as the wheel names them."""
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".pyi")
    }
    return {name if name.startswith("gossamer/") else f"gossamer/{name}" for name in found}


@pytest.fixture
def built(once: Callable[[str, Callable[[Path], None]], Path]) -> tuple[Path, str]:
    """A wheel built aside, and what its builder said."""
    folder = once("wheel", build)
    (wheel,) = folder.glob("wheels/*.whl")
    return wheel, (folder / SAID).read_text()


def build(folder: Path) -> None:
    """Build the wheel in a copy of the sources."""
    place, wheels = folder / "sources", folder / "wheels"
    place.mkdir()
    wheels.mkdir()
    for name in FILES:
        shutil.copyfile(ROOT / name, place / name)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, place / name, symlinks=True, ignore=BUILT)
    command = [sys.executable, "-c", BUILD, str(wheels)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / SAID).write_text(done.stdout + done.stderr)


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
        metadata = email.message_from_bytes(archive.read(name))
        (licence,) = (each for each in archive.namelist() if each.endswith("/LICENSE"))
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert (metadata["License-Expression"], metadata["License-File"]) == ("BSD-3-Clause", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "httptools>=0.6.3" in metadata.get_all("Requires-Dist", [])
    assert not [each for each in metadata.get_all("Classifier", []) if each.startswith("License")]


def test_wheel__content__all_modules_and_nothing_else(built: tuple[Path, str]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name and name[-1] != "/"}
    compiled = {f"gossamer/ffi/{name}.abi3.so" for name in ("_aio", "_await", "_packet", "_slot", "_system")}
    data = {"loadtest/load.schema.json", "shards/admin/dashboard.html", "py.typed"}
    assert found == compiled | modules() | {f"gossamer/{name}" for name in data}


def test_wheel__built__nothing_is_deprecated(built: tuple[Path, str]) -> None:
    assert [line for line in built[1].splitlines() if "SetuptoolsDeprecation" in line] == []
