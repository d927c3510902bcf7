"""Server cookies (RFC 9018, version 1): a hash by SipHash-2-4 that a client is given, and shows he is where he says.

    client cookie 8 | version 1 | reserved 3 | timestamp 4 | hash 8
                                                             `- of all before it and the client's address, by a secret

A secret is two 64-bit words; the first of some makes cookies, all of them are accepted: a previous one, and one that
others make cookies with already (section 5). Runs interpreted and compiled (types in the `.pxd`).
"""

from __future__ import annotations

from lbdns.dns.cookie_words import *


class ServerCookie:
    """What a query's COOKIE option says, and after `settle` what the reply's does.

    `client`: the client's part, as a number, low octet first; `is_given`: 16 octets of the server's follow, which may
    be a cookie of this version. Of these `head`: version and reserved octets, low octet first; `stamp`: when it was
    made, unix s; `hash`, low octet first. `is_valid`: the query had one that was ours, and not too old.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.client = 0
        self.head = 0
        self.stamp = 0
        self.hash = 0
        self.is_given = False
        self.is_valid = False


def settle(cookie: ServerCookie, secrets: memoryview, version: int, high: int, low: int, unix_s: int) -> None:
    """Say whether a query's cookie is valid, and put what its reply carries in its place.

    It stays as it came where it is valid, young and made with the first secret (sections 4.3 and 5). `version`, `high`,
    `low`: the client's address, as `cookie_hash` has it; `unix_s`: the time of day.
    """
    cookie.is_valid = False
    if cookie.is_given and cookie.head & VERSION_OCTET == VERSION_1:
        age = (unix_s - cookie.stamp) & LOWER_32  # by serial numbers (RFC 1982)
        if age <= AGE_MAX_S or age >= AHEAD_AGE:
            made_by = find_secret(cookie, secrets, version, high, low)
            cookie.is_valid = made_by >= 0
            if made_by == 0 and (age <= RENEWED_S or age >= AHEAD_AGES):
                return
    cookie.head = VERSION_1
    cookie.stamp = unix_s & LOWER_32
    cookie.hash = cookie_hash(secrets, 0, cookie, version, high, low)


def find_secret(cookie: ServerCookie, secrets: memoryview, version: int, high: int, low: int) -> int:
    """Return which secret a cookie was made with, -1 for none."""
    for index in range(len(secrets) // SECRET_WORDS):
        if cookie_hash(secrets, index, cookie, version, high, low) == cookie.hash:
            return index
    return -1


def swap64(value: int) -> int:
    """Return a 64-bit number with its octets in the other order."""
    value = ((value & ODD_OCTETS) << 8) | ((value >> 8) & ODD_OCTETS)
    value = ((value & ODD_PAIRS) << 16) | ((value >> 16) & ODD_PAIRS)
    return ((value & LOWER_32) << 32) | (value >> 32)


def cookie_hash(secrets: memoryview, index: int, cookie: ServerCookie, version: int, high: int, low: int) -> int:
    """Return the hash of a cookie's parts and the client's address (section 4.4), by one of the secrets.

    `version`: 4 or 6; `high`, `low`: the address's 128 bits, an IPv4 address in the top 32 bits of `high`.
    """
    key_0 = secrets[SECRET_WORDS * index]
    key_1 = secrets[SECRET_WORDS * index + 1]
    v0 = key_0 ^ SIP_0
    v1 = key_1 ^ SIP_1
    v2 = key_0 ^ SIP_2
    v3 = key_1 ^ SIP_3
    words = 3 if version == 4 else 5
    word = 0
    for turn in range(WORD_TURNS * words + LAST_TURNS):
        if turn < WORD_TURNS * words and turn % WORD_TURNS == 0:
            word = hashed_word(turn // WORD_TURNS, cookie, version, high, low)
            v3 ^= word
        elif turn == WORD_TURNS * words:
            v2 ^= END_MARK
        v0 = (v0 + v1) & WHOLE_64
        v2 = (v2 + v3) & WHOLE_64
        v1 = (((v1 << 13) | (v1 >> 51)) & WHOLE_64) ^ v0
        v3 = (((v3 << 16) | (v3 >> 48)) & WHOLE_64) ^ v2
        v0 = ((v0 << 32) | (v0 >> 32)) & WHOLE_64
        v0 = (v0 + v3) & WHOLE_64
        v2 = (v2 + v1) & WHOLE_64
        v1 = (((v1 << 17) | (v1 >> 47)) & WHOLE_64) ^ v2
        v3 = (((v3 << 21) | (v3 >> 43)) & WHOLE_64) ^ v0
        v2 = ((v2 << 32) | (v2 >> 32)) & WHOLE_64
        if turn < WORD_TURNS * words and turn % WORD_TURNS == WORD_TURNS - 1:
            v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3


def hashed_word(index: int, cookie: ServerCookie, version: int, high: int, low: int) -> int:
    """Return one of the words that are hashed: client cookie; version to timestamp; the address, and behind it in the
    last octet how many octets that makes."""
    if index == 0:
        return cookie.client
    if index == 1:
        return cookie.head | swap64(cookie.stamp)
    if version == 4:
        return swap64(high) | LENGTH_4
    if index == 2:
        return swap64(high)
    return swap64(low) if index == 3 else LENGTH_6
