"""Both ends of a connection through TLS, on either stack."""

from collections.abc import Iterator

import pytest

from .stacks import TlsFunctional, TlsKernel


@pytest.fixture(params=[TlsKernel, TlsFunctional])
def stack(request: pytest.FixtureRequest) -> Iterator[TlsKernel | TlsFunctional]:
    made: TlsKernel | TlsFunctional = request.param()
    yield made
    made.close()
