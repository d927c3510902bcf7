"""What the supervisor knows of its own run, for those who show it: metrics and the command line."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.publish.publisher import Published


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server at a moment. Times are unix seconds, counts are since the supervisor's start."""

    published: Published
    published_at: float
    started_at: float
    is_fast: bool  # whether responders have the compiled fast path
    responder_count: int
    responder_restarts: int
    monitor_restarts: int
    reload_count: int  # of those that succeeded
    reload_failures: int
