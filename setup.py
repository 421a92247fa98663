"""The three cffi modules are all that pyproject.toml cannot say."""

from setuptools import setup

setup(
    cffi_modules=[
        "ffi/build_packet.py:builder",
        "ffi/build_aio.py:builder",
        "ffi/build_process.py:builder",
    ]
)
