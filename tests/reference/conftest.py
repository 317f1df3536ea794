"""Both cells."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["graves", "lstm"])
def cell(request: pytest.FixtureRequest) -> str:
    """With and without peepholes."""
    return str(request.param)
