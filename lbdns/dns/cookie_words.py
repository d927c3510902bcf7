"""The numbers of server cookies (server_cookie.py): their layout, their times, and SipHash's."""

from __future__ import annotations

from typing import Final

CLIENT_COOKIE_BYTES: Final = 8
SERVER_COOKIE_BYTES: Final = 16
COOKIE_BYTES: Final = 24  # of a whole option: the client's part and ours
SECRET_BYTES: Final = 16
SECRET_WORDS: Final = 2
VERSION_1: Final = 1
VERSION_OCTET: Final = 0xFF  # of version and reserved octets as one number, low octet first
# RFC 9018 section 4.3: how old a cookie may be, how far ahead of our clock, from which age on it is renewed.
AGE_MAX_S: Final = 3600
RENEWED_S: Final = 1800
AHEAD_MAX_S: Final = 300
AHEAD_AGE: Final = 0x100000000 - AHEAD_MAX_S  # that far ahead, as an age in 32 bits
AHEAD_AGES: Final = 0x80000000  # from here on an age is of the future
LOWER_32: Final = 0xFFFFFFFF
WHOLE_64: Final = 0xFFFFFFFFFFFFFFFF
ODD_OCTETS: Final = 0x00FF00FF00FF00FF
ODD_PAIRS: Final = 0x0000FFFF0000FFFF
# SipHash-2-4: what the key is mixed with, how often it turns for a word and at the end, what marks the end.
SIP_0: Final = 0x736F6D6570736575
SIP_1: Final = 0x646F72616E646F6D
SIP_2: Final = 0x6C7967656E657261
SIP_3: Final = 0x7465646279746573
WORD_TURNS: Final = 2
LAST_TURNS: Final = 4
END_MARK: Final = 0xFF
# The last word of what is hashed: its last octet says how many octets there are, with an IPv4 or an IPv6 address.
LENGTH_4: Final = 0x1400000000000000
LENGTH_6: Final = 0x2000000000000000
