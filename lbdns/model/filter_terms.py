"""What a pool says of who is told of its changes: read by the monitor worker without pydantic."""

from __future__ import annotations

from lbdns.model.plain_fields import Flag, plain_term


@plain_term
class ScopeTerms:
    """Which changes of a pool, or of its endpoints, are told."""

    disable: Flag = False
    """Whether nothing is told."""
    healthy: Flag | None = None
    """Whether only becoming healthy is told (true), only becoming unhealthy (false), or both (without it)."""


@plain_term
class FilterTerms:
    """What is told of a pool and its endpoints."""

    origin: ScopeTerms | None = None
    """What is told of the pool's endpoints."""
    pool: ScopeTerms | None = None
    """What is told of the pool."""
