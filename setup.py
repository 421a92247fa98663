"""What pyproject.toml cannot say: the modules of C, and one wheel for every Python from 3.11 on."""

import runpy
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# cffi builds against the stable ABI where there is one: a Python without the GIL has none.
HAS_STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")


class BuildModules(build_ext):
    """Notes of which sources the modules are that it puts beside them: they are compared at import."""

    def run(self) -> None:
        """Build; a build in place that ends in the middle leaves no note."""
        built = runpy.run_path("gossamer/ffi/built.py")
        if self.inplace:
            built["forget"]()
        super().run()
        if self.inplace:
            built["note"]()


setup(
    cmdclass={"build_ext": BuildModules},
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
            extra_compile_args=["-O2", "-Wall", "-Wextra", "-Wno-cast-function-type"],
            py_limited_api=HAS_STABLE_ABI,
        )
        for name in ("await", "slot")
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if HAS_STABLE_ABI else {},
)
