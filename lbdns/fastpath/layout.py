"""The numbers of the fast path that are not the protocol's (wire/codes.py) or the snapshot's."""

from __future__ import annotations

from typing import Final

# What `serve` returns instead of a reply's length.
DROPPED: Final = 0
DEFERRED: Final = -1

OUT_BYTES: Final = 2048  # room that a caller of `serve` must have for a reply
NO_TEMPLATE: Final = 0xFFFFFFFF
# A template's row: its length, and where each field stands.
TEMPLATE_ROW: Final = 8
ROW_OFFSET: Final = 0
ROW_LENGTH: Final = 1
ROW_FLAGS: Final = 2
ROW_ANSWERS: Final = 3
ROW_AUTHORITIES: Final = 4
ROW_ADDITIONALS: Final = 5
ROW_RELOCATION: Final = 6
ROW_RELOCATIONS: Final = 7
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

# Words of counters (counters.py): fixed ones, then groups.
DATAGRAMS: Final = 0
DEFERRED_COUNT: Final = 1
DROPPED_COUNT: Final = 2
OVERFLOWS: Final = 3
SEND_ERRORS: Final = 4
TCP_MESSAGES: Final = 5
GENERATION: Final = 6  # no count: the generation that this writer answers from

RCODES_FIRST: Final = 8
RCODE_COUNT: Final = 16
TYPES_FIRST: Final = RCODES_FIRST + RCODE_COUNT
TYPE_OTHER: Final = 255
SOURCES_FIRST: Final = TYPES_FIRST + TYPE_OTHER + 1
SOURCE_COUNT: Final = 4
SLOTS_MAX: Final = 1 << 20  # of each kind; what has a higher slot is not counted
LOAD_BALANCERS_FIRST: Final = 512
POOLS_FIRST: Final = LOAD_BALANCERS_FIRST + SLOTS_MAX
ENDPOINTS_FIRST: Final = POOLS_FIRST + SLOTS_MAX
WORD_COUNT: Final = ENDPOINTS_FIRST + SLOTS_MAX
