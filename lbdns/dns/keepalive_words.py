"""The numbers of the TCP keepalive option (RFC 7828)."""

from __future__ import annotations

from typing import Final

KEEPALIVE_BYTES: Final = 2
KEEPALIVE_TENTHS: Final = 100  # how long a connection may be idle before this server closes it, in units of 100 ms
TENTHS_A_SECOND: Final = 10
