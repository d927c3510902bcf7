"""The setting `history`: sizes in bytes or as texts, and their bounds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lbdns.model.settings import Settings


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (50_000_000, 50_000_000),
        ("50000000", 50_000_000),
        ("64MB", 64_000_000),
        ("64 mb", 64_000_000),
        ("1.5G", 1_500_000_000),
        ("2GiB", 2 << 30),
        ("1tb", None),
        ("MB", None),
        ("-1GB", None),
        ("1MB", None),
        (True, None),
        (64e6, None),
        ("9999999999GB", None),
    ],
)
def test_sizes(written: Any, size: int | None) -> None:
    """A text says thousands or 1,024s by its unit; what is too small or too large is refused."""
    if size is not None:
        assert Settings.model_validate({"history": {"size": written}}).history.size == size
        return
    with pytest.raises(ValidationError):
        Settings.model_validate({"history": {"size": written}})


def test_defaults() -> None:
    """It is kept for 90 days, in 1 GB."""
    history = Settings().history
    assert (history.enabled, history.size, history.days) == (True, 1_000_000_000, 90)
