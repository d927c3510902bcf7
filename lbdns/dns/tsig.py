"""Signed messages (TSIG, RFC 8945): a query's signature judged, and the reply to it signed, in one message or many.

    key unknown: BADKEY -> the MAC's length: FORMERR -> the MAC: BADSIG -> the time: BADTIME -> cut short: BADTRUNC

in the order of section 5.2; the reply is signed from BADTIME on. What is sent from here is signed by a `SealedRequest`,
which says of replies whether they hold. Pure: the time comes in as a number. The HMACs are Python's; dnspython's
records around them would make a forged query several times as dear as any other.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final, NamedTuple

from lbdns.dns.codes import BADKEY, BADSIG, BADTIME, BADTRUNC, CLASS_ANY, HEADER_BYTES, NOERROR, TYPE_TSIG
from lbdns.dns.message import Signature, signature_of
from lbdns.dns.name import encode_canonical

FUDGE_S: Final = 300
"""By how much clocks may differ from the time in a reply (section 10)."""
LEAST_MAC_OCTETS: Final = 10
"""What a MAC has at least, and half of its hash (section 5.2.2.1)."""
UNSIGNED_BETWEEN_MAX: Final = 99
"""How many messages of one reply may come between two that are signed (section 5.3.1)."""
_PREFIX: Final = "hmac-"
"""What stands before a hash's name in an algorithm's."""
MD5: Final = "hmac-md5"
MD5_NAME: Final = "hmac-md5.sig-alg.reg.int"
"""The one algorithm whose name on the wire is another than the one that people write (section 6)."""
_COUNT_AT: Final = HEADER_BYTES - 2
"""Where a header counts additional records."""
_RECORD: Final = Struct("!HHIH")
_U16: Final = Struct("!H")
_ERROR: Final = Struct("!HH")
_NO_ERROR: Final = _ERROR.pack(NOERROR, 0)


class KnownKey(NamedTuple):
    """A key that is known here: the number of the view that it is of (0: none), its HMAC with nothing hashed, and both
    names as MACs cover them. `least`: how many octets of a MAC are enough, where they may be cut short."""

    view: int
    empty: hmac.HMAC
    owner: bytes
    algorithm: bytes
    least: int

    @property
    def mac_octets(self) -> int:
        """How long a whole MAC is."""
        return self.empty.digest_size

    def mac(self, prefix: bytes, original_id: bytes, unsigned: bytes, time_and_fudge: bytes, error: bytes) -> bytes:
        """Return the MAC of a message without its TSIG record (section 4.3).

        `prefix`: before a reply, the query's MAC with its length; `error`: TSIG error, and other data with its length.
        """
        variables = self.owner + _U16.pack(CLASS_ANY) + bytes(4) + self.algorithm + time_and_fudge + error
        return self._mac(prefix, original_id, unsigned, variables)

    def mac_of_more(self, prefix: bytes, original_id: bytes, unsigned: bytes, time_and_fudge: bytes) -> bytes:
        """Return the MAC of another message of the same reply (section 5.3.1); `prefix`: the MAC before, with its
        length, and whole messages that came between."""
        return self._mac(prefix, original_id, unsigned, time_and_fudge)

    def _mac(self, prefix: bytes, original_id: bytes, unsigned: bytes, variables: bytes) -> bytes:
        made = self.empty.copy()
        made.update(prefix + original_id)
        made.update(memoryview(unsigned)[2:])
        made.update(variables)
        return made.digest()

    def takes_size(self, octets: int) -> bool:
        """Return whether a MAC has a length that some have."""
        return max(LEAST_MAC_OCTETS, self.mac_octets // 2) <= octets <= self.mac_octets


def known_key(name: str, algorithm: str, secret: bytes, view: int = 0) -> KnownKey:
    """Return a key of settings or a store; `algorithm`: such as `hmac-sha256`, or `hmac-sha256-128` where the first 128
    bits of a MAC are enough."""
    hash_name, _, bits = algorithm.removeprefix(_PREFIX).partition("-")
    empty = hmac.new(secret, digestmod=hash_name)
    plain = f"{_PREFIX}{hash_name}"
    wire = encode_canonical(MD5_NAME if plain == MD5 else plain)
    return KnownKey(view, empty, encode_canonical(name), wire, int(bits) // 8 if bits else empty.digest_size)


@dataclass(frozen=True, slots=True)
class Seal:
    """What the reply to one query is signed with. `owner`, `request_mac`, `original_id`: as in the query;
    `time_and_fudge`, `error`, `other`: as the reply is to have them; `mac_octets`: how much of the MAC is sent."""

    known: KnownKey
    owner: bytes
    request_mac: bytes
    original_id: bytes
    time_and_fudge: bytes
    error: int = NOERROR
    other: bytes = b""
    mac_octets: int = 0

    @property
    def size(self) -> int:
        """How many octets the record takes."""
        return len(self.owner) + _RECORD.size + len(self._data(bytes(self.known.mac_octets)))

    def sign(self, reply: bytes) -> bytes:
        """Return a reply with its TSIG record behind it; the MAC covers the query's too (section 5.3)."""
        return self._with_record(reply, self._first_mac(reply))

    def stream(self) -> SealedStream:
        """Return what signs a reply of many messages."""
        return SealedStream(self)

    def _first_mac(self, reply: bytes) -> bytes:
        mac = self.known.mac(_with_length(self.request_mac), self.original_id, reply, self.time_and_fudge, self._error)
        return self._cut(mac)

    def _more_mac(self, before: bytes, reply: bytes) -> bytes:
        return self._cut(self.known.mac_of_more(_with_length(before), self.original_id, reply, self.time_and_fudge))

    def _cut(self, mac: bytes) -> bytes:
        return mac[: self.mac_octets] if self.mac_octets else mac

    def _with_record(self, reply: bytes, mac: bytes) -> bytes:
        data = self._data(mac)
        record = self.owner + _RECORD.pack(TYPE_TSIG, CLASS_ANY, 0, len(data)) + data
        return _counted(reply, 1) + reply[HEADER_BYTES:] + record

    @property
    def _error(self) -> bytes:
        return _ERROR.pack(self.error, len(self.other)) + self.other

    def _data(self, mac: bytes) -> bytes:
        head = self.known.algorithm + self.time_and_fudge + _U16.pack(len(mac))
        return head + mac + self.original_id + self._error


class SealedStream:
    """Signs the messages of one reply, each over the MAC of the one before it (section 5.3.1)."""

    def __init__(self, seal: Seal) -> None:
        """Begin with the first message."""
        self._seal = seal
        self._before: bytes | None = None

    @property
    def size(self) -> int:
        """How many octets the record takes at most."""
        return self._seal.size

    def sign(self, message: bytes) -> bytes:
        """Return the next message with its TSIG record behind it."""
        seal, before = self._seal, self._before
        self._before = seal._first_mac(message) if before is None else seal._more_mac(before, message)
        return seal._with_record(message, self._before)


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
            known = known_key(name, algorithm, secret, view)
            self._keys[known.owner] = known

    def judge(self, datagram: bytes, signature: Signature, now_s: int) -> Judgement:
        """Return what is to be said of the signature of a datagram that could be read; `now_s`: in unix seconds."""
        known = self._keys.get(signature.key.lower())
        known = None if known is None else _as_asked(known, signature.algorithm.lower())
        if known is None:
            return UNKNOWN_KEY
        size = len(signature.mac)
        if not known.takes_size(size):
            return Judgement(is_malformed=True)
        unsigned = _without_record(datagram, signature)
        mac = known.mac(b"", signature.original_id, unsigned, signature.time_and_fudge, _error_of(signature))
        if not hmac.compare_digest(mac[:size], signature.mac):
            return Judgement(BADSIG)
        made = known, signature.key, signature.mac, signature.original_id
        time_and_fudge = now_s.to_bytes(6) + _U16.pack(FUDGE_S)
        is_long_enough = size >= known.least
        sent = size if is_long_enough else known.mac_octets
        if abs(now_s - signature.time_s) > signature.fudge_s:
            # By the client's own time, so that its clock does not keep it from hearing of this (section 5.2.3).
            late = Seal(*made, signature.time_and_fudge, BADTIME, now_s.to_bytes(6), sent)
            return Judgement(BADTIME, late)
        if not is_long_enough:
            return Judgement(BADTRUNC, Seal(*made, time_and_fudge, BADTRUNC))
        return Judgement(NOERROR, Seal(*made, time_and_fudge, mac_octets=sent))


def _as_asked(known: KnownKey, algorithm: bytes) -> KnownKey | None:
    """Return a key as a message names its algorithm, None where that is another one. That of a MAC that is cut short
    has a name of its own, which some send, and others send the whole one's (section 6)."""
    if algorithm == known.algorithm:
        return known
    if known.least < known.mac_octets:
        plain = known.algorithm[1:-1]
        if algorithm == encode_canonical(f"{plain.decode()}-{known.least * 8}"):
            return known._replace(algorithm=algorithm)
    return None


class Sealed(Enum):
    """What is said of a reply to a message that was signed here."""

    HOLDS = "holds"
    LACKS = "lacks"
    """It is not signed: an error may be so, and then nothing but its RCODE is believed."""
    FAILS = "fails"
    """It is signed, and not by who has the key, or not now, or with an error."""


class SealedRequest:
    """A message that was signed here, and the check of the reply to it, of one message or many."""

    def __init__(self, known: KnownKey, message: bytes, now_s: int) -> None:
        """Sign a message; `now_s`: in unix seconds."""
        time_and_fudge = now_s.to_bytes(6) + _U16.pack(FUDGE_S)
        mac = known.mac(b"", message[:2], message, time_and_fudge, _NO_ERROR)[: known.least]
        seal = Seal(known, known.owner, b"", message[:2], time_and_fudge)
        self.wire: bytes = seal._with_record(message, mac)
        self._known = known
        self._before = mac
        self._between = b""
        self._unsigned = 0
        self._is_first = True

    @property
    def is_settled(self) -> bool:
        """Whether the message that came last was signed: the last of a reply has to be."""
        return self._unsigned == 0

    def check(self, reply: bytes, now_s: int) -> Sealed:
        """Return what is said of the next message of the reply."""
        signature = signature_of(reply)
        if signature is None:
            self._unsigned += 1
            self._between += reply
            return Sealed.LACKS if self._is_first or self._unsigned > UNSIGNED_BETWEEN_MAX else Sealed.HOLDS
        known, size = self._known, len(signature.mac)
        is_ours = signature.key.lower() == known.owner and signature.algorithm.lower() == known.algorithm
        if not is_ours or not known.takes_size(size) or size < known.least:
            return Sealed.FAILS
        mac = self._mac(reply, signature)
        is_now = abs(now_s - signature.time_s) <= signature.fudge_s
        if not hmac.compare_digest(mac[:size], signature.mac) or signature.error != NOERROR or not is_now:
            return Sealed.FAILS
        self._before, self._between, self._unsigned, self._is_first = signature.mac, b"", 0, False
        return Sealed.HOLDS

    def _mac(self, reply: bytes, signature: Signature) -> bytes:
        unsigned = _without_record(reply, signature)
        prefix = _with_length(self._before)
        made = signature.original_id, unsigned, signature.time_and_fudge
        if self._is_first:
            return self._known.mac(prefix, *made, _error_of(signature))
        return self._known.mac_of_more(prefix + self._between, *made)


def _error_of(signature: Signature) -> bytes:
    return _ERROR.pack(signature.error, len(signature.other)) + signature.other


def _with_length(mac: bytes) -> bytes:
    return _U16.pack(len(mac)) + mac


def _without_record(message: bytes, signature: Signature) -> bytes:
    """Return a message without its TSIG record."""
    return _counted(message, -1) + message[HEADER_BYTES : signature.start]


def _counted(message: bytes, step: int) -> bytes:
    """Return a message's header with its count of additional records changed."""
    return message[:_COUNT_AT] + _U16.pack(_U16.unpack_from(message, _COUNT_AT)[0] + step)
