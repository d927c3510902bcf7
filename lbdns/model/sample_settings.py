"""The setting `samples`: how much of what is answered is kept, query by query, and what of who asked."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from lbdns.model import bounds
from lbdns.model.fields import Frozen
from lbdns.model.plain_fields import Whole

KEPT_BITS: Final = {"cut": (bounds.SAMPLED_BITS_4, bounds.SAMPLED_BITS_6), "none": (0, 0)}
"""By `privacy`: how many bits of IPv4 and of IPv6 networks are kept."""


class SampleSettings(Frozen):
    """Samples of answers, from which history, analytics and what-if are made."""

    per_second: Annotated[Whole, Field(ge=0, le=bounds.MAX_SAMPLES_PER_SECOND)] = bounds.DEFAULT_SAMPLES_PER_SECOND
    """How many answers a second all processes together sample at most: each one where there are fewer, one in N where
    there are more, and each sample says in how many. 0 samples none."""
    privacy: Literal["cut", "none"] = "cut"
    """What is kept of a resolver's address and of the client network that it tells (ECS): `cut`, the first 24 bits of
    IPv4 and 56 of IPv6, or `none` of them."""


def sample_row(settings: SampleSettings) -> tuple[int, int, int]:
    """Return samples a second, and the bits of IPv4 and of IPv6 networks that are kept."""
    return settings.per_second, *KEPT_BITS[settings.privacy]
