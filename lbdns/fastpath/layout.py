"""The numbers of the fast path that are not the protocol's (wire/codes.py) or the snapshot's."""

from __future__ import annotations

from typing import Final

# What `serve` returns instead of a reply's length.
DROPPED: Final = 0
DEFERRED: Final = -1

OUT_BYTES: Final = 2048  # room that a caller of `serve` must have for a reply
NO_TEMPLATE: Final = 0xFFFFFFFF
RELOCATION_BIAS: Final = 0x4000  # targets inside the question's name lie before its end

# Sizes of pieces of messages.
OPT_BYTES: Final = 11
OPTION_HEAD_BYTES: Final = 4
EDE_BYTES: Final = 6
RECORD_HEAD_BYTES: Final = 12  # pointer, type, class, TTL, length
LABEL_BYTES_MAX: Final = 63

# Bits of a header's third and fourth byte.
QR_BIT: Final = 0x80
OPCODE_BITS: Final = 0x78
AA_BIT: Final = 0x04
RD_BIT: Final = 0x01
RCODE_BITS: Final = 0x0F

# TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY: the slow path's.
TYPE_META_FIRST: Final = 249
TYPE_META_LAST: Final = 255
