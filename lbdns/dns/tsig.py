"""Signed messages (TSIG, RFC 8945): a query's signature judged, and the reply to it signed.

    key unknown: BADKEY -> the MAC's length: FORMERR -> the MAC: BADSIG -> the time: BADTIME -> cut short: BADTRUNC

in the order of section 5.2; the reply is signed from BADTIME on. Pure: the time comes in as a number. The HMACs are
Python's; dnspython's records around them would make a forged query several times as dear as any other.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from lbdns.dns.codes import BADKEY, BADSIG, BADTIME, BADTRUNC, CLASS_ANY, HEADER_BYTES, NOERROR, TYPE_TSIG
from lbdns.dns.message import Signature
from lbdns.dns.name import encode_canonical

FUDGE_S: Final = 300
"""By how much clocks may differ from the time in a reply (section 10)."""
LEAST_MAC_OCTETS: Final = 10
"""What a MAC has at least, and half of its hash (section 5.2.2.1)."""
_PREFIX: Final = "hmac-"
"""What stands before a hash's name in an algorithm's."""
_COUNT_AT: Final = HEADER_BYTES - 2
"""Where a header counts additional records."""
_RECORD: Final = Struct("!HHIH")
_U16: Final = Struct("!H")
_ERROR: Final = Struct("!HH")


class KnownKey(NamedTuple):
    """A key that is known here: the number of the view that it is of (0: none), its HMAC with nothing hashed, and both
    names as MACs cover them."""

    view: int
    empty: hmac.HMAC
    owner: bytes
    algorithm: bytes

    @property
    def mac_octets(self) -> int:
        """How long a whole MAC is."""
        return self.empty.digest_size

    def mac(self, prefix: bytes, original_id: bytes, unsigned: bytes, time_and_fudge: bytes, error: bytes) -> bytes:
        """Return the MAC of a message without its TSIG record (section 4.3).

        `prefix`: before a reply, the query's MAC with its length; `error`: TSIG error, and other data with its length.
        """
        made = self.empty.copy()
        made.update(prefix + original_id)
        made.update(memoryview(unsigned)[2:])
        made.update(self.owner + _U16.pack(CLASS_ANY) + bytes(4) + self.algorithm + time_and_fudge + error)
        return made.digest()


@dataclass(frozen=True, slots=True)
class Seal:
    """What the reply to one query is signed with. `owner`, `request_mac`, `original_id`: as in the query;
    `time_and_fudge`, `error`, `other`: as the reply is to have them."""

    known: KnownKey
    owner: bytes
    request_mac: bytes
    original_id: bytes
    time_and_fudge: bytes
    error: int = NOERROR
    other: bytes = b""

    @property
    def size(self) -> int:
        """How many octets the record takes."""
        return len(self.owner) + _RECORD.size + len(self._data(bytes(self.known.mac_octets)))

    def sign(self, reply: bytes) -> bytes:
        """Return a reply with its TSIG record behind it; the MAC covers the query's too (section 5.3)."""
        prefix = _U16.pack(len(self.request_mac)) + self.request_mac
        mac = self.known.mac(prefix, self.original_id, reply, self.time_and_fudge, self._error)
        data = self._data(mac)
        record = self.owner + _RECORD.pack(TYPE_TSIG, CLASS_ANY, 0, len(data)) + data
        return _counted(reply, 1) + reply[HEADER_BYTES:] + record

    @property
    def _error(self) -> bytes:
        return _ERROR.pack(self.error, len(self.other)) + self.other

    def _data(self, mac: bytes) -> bytes:
        head = self.known.algorithm + self.time_and_fudge + _U16.pack(len(mac))
        return head + mac + self.original_id + self._error


class Judgement(NamedTuple):
    """What is said of a query's signature: a TSIG error, or NOERROR; `seal`: what the reply is signed with, None where
    it is not. `is_malformed`: its MAC has a length that none has."""

    error: int = NOERROR
    seal: Seal | None = None
    is_malformed: bool = False

    @property
    def view(self) -> int:
        """The number of the view that the key is of, 0 for none, or where the signature does not hold."""
        return self.seal.known.view if self.seal is not None and self.error == NOERROR else 0

    @property
    def key(self) -> bytes:
        """The name of the key that signed (wire format, lower case), b"" for none, or where the signature does not
        hold."""
        return self.seal.known.owner if self.seal is not None and self.error == NOERROR else b""


UNSIGNED: Final = Judgement()
UNKNOWN_KEY: Final = Judgement(BADKEY)


class Keyring:
    """The keys that are known here."""

    def __init__(self, keys: Iterable[tuple[str, str, bytes, int]]) -> None:
        """Take the name, algorithm, secret and view of each."""
        self._keys: dict[bytes, KnownKey] = {}
        for name, algorithm, secret, view in keys:
            owner = encode_canonical(name)
            empty = hmac.new(secret, digestmod=algorithm.removeprefix(_PREFIX))
            self._keys[owner] = KnownKey(view, empty, owner, encode_canonical(algorithm))

    def judge(self, datagram: bytes, signature: Signature, now_s: int) -> Judgement:
        """Return what is to be said of the signature of a datagram that could be read; `now_s`: in unix seconds."""
        known = self._keys.get(signature.key.lower())
        if known is None or known.algorithm != signature.algorithm.lower():
            return UNKNOWN_KEY
        size = len(signature.mac)
        if not max(LEAST_MAC_OCTETS, known.mac_octets // 2) <= size <= known.mac_octets:
            return Judgement(is_malformed=True)
        unsigned = _counted(datagram, -1) + datagram[HEADER_BYTES : signature.start]
        error = _ERROR.pack(signature.error, len(signature.other)) + signature.other
        mac = known.mac(b"", signature.original_id, unsigned, signature.time_and_fudge, error)
        if not hmac.compare_digest(mac[:size], signature.mac):
            return Judgement(BADSIG)
        made = known, signature.key, signature.mac, signature.original_id
        time_and_fudge = now_s.to_bytes(6) + _U16.pack(FUDGE_S)
        if abs(now_s - signature.time_s) > signature.fudge_s:
            # By the client's own time, so that its clock does not keep it from hearing of this (section 5.2.3).
            late = Seal(*made, signature.time_and_fudge, BADTIME, now_s.to_bytes(6))
            return Judgement(BADTIME, late)
        if size < known.mac_octets:
            return Judgement(BADTRUNC, Seal(*made, time_and_fudge, BADTRUNC))
        return Judgement(NOERROR, Seal(*made, time_and_fudge))


def _counted(message: bytes, step: int) -> bytes:
    """Return a message's header with its count of additional records changed."""
    return message[:_COUNT_AT] + _U16.pack(_U16.unpack_from(message, _COUNT_AT)[0] + step)
