"""Signed messages (TSIG, RFC 8945): a query's signature judged, and the reply to it signed, in one message or many.

    key unknown: BADKEY -> the MAC's length: FORMERR -> the MAC: BADSIG -> the time: BADTIME -> cut short: BADTRUNC

in the order of section 5.2; the reply is signed from BADTIME on. Pure: the time comes in as a number. The HMACs are
Python's; dnspython's records around them would make a forged query several times as dear as any other.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
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
MD5: Final = "hmac-md5"
MD5_NAME: Final = "hmac-md5.sig-alg.reg.int"
"""The one algorithm whose name on the wire is another than the one that people write (section 6)."""
_COUNT_AT: Final = HEADER_BYTES - 2
"""Where a header counts additional records."""
_RECORD: Final = Struct("!HHIH")
_U16: Final = Struct("!H")
_ERROR: Final = Struct("!HH")


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


class Seal(NamedTuple):
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
        return self.sign_next(reply, None)[0]

    def stream(self) -> SealedStream:
        """Return what signs a reply of many messages."""
        return SealedStream(self)

    def sign_next(self, reply: bytes, before: bytes | None) -> tuple[bytes, bytes]:
        """Return a message of a reply of many with its TSIG record behind it, and its MAC; `before`: the MAC of the one
        before it, None for the first."""
        known, timers = self.known, self.time_and_fudge
        if before is None:
            mac = known.mac(_with_length(self.request_mac), self.original_id, reply, timers, self._error)
        else:
            mac = known.mac_of_more(_with_length(before), self.original_id, reply, timers)
        mac = mac[: self.mac_octets] if self.mac_octets else mac
        data = self._data(mac)
        record = self.owner + _RECORD.pack(TYPE_TSIG, CLASS_ANY, 0, len(data)) + data
        return _counted(reply, 1) + reply[HEADER_BYTES:] + record, mac

    @property
    def _error(self) -> bytes:
        return _ERROR.pack(self.error, len(self.other)) + self.other

    def _data(self, mac: bytes) -> bytes:
        head = self.known.algorithm + self.time_and_fudge + _U16.pack(len(mac))
        return head + mac + self.original_id + self._error


class SealedStream:
    """Signs the messages of one reply, each over the MAC of the one before it (section 5.3.1), and as of when it is
    made: a reply may take longer than clocks may differ."""

    def __init__(self, seal: Seal) -> None:
        """Begin with the first message."""
        self._seal = seal
        self._before: bytes | None = None

    @property
    def size(self) -> int:
        """How many octets the record takes at most."""
        return self._seal.size

    def sign(self, message: bytes, now_s: int) -> bytes:
        """Return the next message with its TSIG record behind it; `now_s`: in unix seconds."""
        seal = self._seal._replace(time_and_fudge=now_s.to_bytes(6) + _U16.pack(FUDGE_S))
        sealed, self._before = seal.sign_next(message, self._before)
        return sealed


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
