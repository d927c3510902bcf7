"""The numbers of a signature table (signature_table.py) and of the hash that its keys are (signature_lookup.py)."""

from __future__ import annotations

from typing import Final

NO_SLOT: Final = -1
# A slot's row: two words of its key, one of its state (version, and length from LENGTH_SHIFT on), then octets.
WORD_BYTES: Final = 8
ROW_STATE: Final = 2
ROW_OCTETS: Final = 24
VERSION_MASK: Final = 0xFFFFFFFF
LENGTH_SHIFT: Final = 32
USED_SHIFT: Final = 6  # signed_used counts in steps of 64 s, so that one that is sent often is seldom written to

WORD_MASK: Final = 0xFFFFFFFFFFFFFFFF
KEY_WORDS: Final = 44  # room for the name, what follows it, and the zeros at the end
PIECE_BYTES: Final = 256  # of a record's data that are hashed at a time: a name fits

# SipHash with 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), a round a word and three at each end.
SIP_FIRST: Final = 0x736F6D6570736575
SIP_SECOND: Final = 0x646F72616E646F6D
SIP_THIRD: Final = 0x6C7967656E657261
SIP_FOURTH: Final = 0x7465646279746573
SIP_WIDE: Final = 0xEE
SIP_BETWEEN: Final = 0xDD
SIP_END_ROUNDS: Final = 3
