"""What pyproject.toml cannot say: the three cffi modules, and one wheel for every Python from 3.11 on."""

import sysconfig

from setuptools import setup

# cffi builds against the stable ABI where there is one: a Python without the GIL has none.
HAS_STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=[
        "gossamer/ffi/build_packet.py:builder",
        "gossamer/ffi/build_aio.py:builder",
        "gossamer/ffi/build_system.py:builder",
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if HAS_STABLE_ABI else {},
)
