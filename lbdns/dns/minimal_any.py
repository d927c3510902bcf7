"""What ANY gets where no RRset is to be chosen for it: HINFO "RFC8482" "" (RFC 8482 section 4.2)."""

from __future__ import annotations

from typing import Final

from lbdns.dns.codes import TYPE_HINFO

ANY_TYPE: Final = TYPE_HINFO
ANY_TTL_S: Final = 3600
ANY_RDATA: Final = b"\x07RFC8482\x00"
