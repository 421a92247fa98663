"""What pyproject.toml cannot say: the modules of C, and one wheel for every Python from 3.11 on."""

import os
import sys
import sysconfig
import tomllib
from pathlib import Path

from setuptools import Extension, setup

os.umask(0o022)  # so that what is made has the same rights, whoever makes it
sys.path.insert(0, "scripts")  # an installer builds where nothing of the sources is on the path

from distributing.description import described  # noqa: E402
from distributing.given import BuildPackage  # noqa: E402
from distributing.modules import IS_NATIVE, BuildModules  # noqa: E402
from distributing.source import SourceArchive  # noqa: E402

# cffi builds against the stable ABI where there is one: a Python without the GIL has none.
HAS_STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
FILES = f"{PROJECT['urls']['Source']}/blob/v{PROJECT['version']}"

setup(
    long_description=described(Path("README.md").read_text(), FILES),
    long_description_content_type="text/markdown",
    setup_requires=["mypy>=2.4.1", *PROJECT["dependencies"]] if IS_NATIVE else [],
    cmdclass={"build_py": BuildPackage, "build_ext": BuildModules, "sdist": SourceArchive},
    cffi_modules=[
        "gossamer/ffi/build_packet.py:builder",
        "gossamer/ffi/build_aio.py:builder",
        "gossamer/ffi/build_system.py:builder",
    ],
    ext_modules=[
        Extension(
            f"gossamer.ffi._{name}",
            [f"gossamer/ffi/src/{name}.c"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if HAS_STABLE_ABI else [],
            extra_compile_args=["-O2", "-g0", "-Wall", "-Wextra", "-Wno-cast-function-type"],
            py_limited_api=HAS_STABLE_ABI,
        )
        for name in ("await", "slot")
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if HAS_STABLE_ABI and not IS_NATIVE else {},
)
