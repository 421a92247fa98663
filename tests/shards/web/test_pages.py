"""Pages of errors."""

import pytest

from gossamer.core.http.response import REASONS
from gossamer.shards.web.pages import error_page


@pytest.mark.parametrize("status", [status for status in REASONS if status >= 300])
def test_error_page__names_status_and_reason(status: int) -> None:
    assert f"<h1>{status} {REASONS[status]}</h1>".encode() in error_page(status, "s")
    assert len(error_page(status, "s")) < 1024
