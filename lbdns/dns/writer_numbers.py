"""The numbers of dns/message_writer.py. Compiled modules have them as constants of C (setup.py says how)."""

from __future__ import annotations

from typing import Final

POINTER_TARGET_LAST: Final = 0x3FFF  # what 14 bits reach (RFC 1035 section 4.1.4)
POINTER_HOPS_LAST: Final = 9  # pointers that lead on from one that is pointed to: Go's resolver follows ten
SUFFIX_SLOTS: Final = 8192
SUFFIXES_MAX: Final = 4096  # of a message that are pointed to: the table is at most half full
NAME_LABELS_MAX: Final = 128
MESSAGES_MAX: Final = 0xFFFFFFFF
NO_OWNER: Final = 0xFFFFFFFFFFFFFFFF
NO_TARGET: Final = -1
SUFFIX_HASH: Final = 0xCBF29CE484222325
SUFFIX_PRIME: Final = 0x100000001B3
MASK_64_BITS: Final = 0xFFFFFFFFFFFFFFFF
MESSAGE_ROOM: Final = 131_400  # the largest record behind the largest message
