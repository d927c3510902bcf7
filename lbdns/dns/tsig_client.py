"""TSIG as who asks has it (RFC 8945): a request signed, and replies to it judged, one message or many.

    request -> sign -> MAC --+
                             v
    reply 1: MAC over that MAC and the message             (section 5.3)
    reply 2: MAC over the MAC before, the messages since that had none, this one, and the times alone (5.3.1)

Between two that are signed at most 99 are not; the first and the last are. Pure: times come in as numbers.
"""

from __future__ import annotations

import hmac
from struct import Struct
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import BADKEY, BADSIG, BADTIME, BADTRUNC, CLASS_ANY, HEADER_BYTES, NOERROR, TYPE_TSIG
from lbdns.dns.message import Signature
from lbdns.dns.name import show_name
from lbdns.dns.tsig import FUDGE_S, known_key

UNSIGNED_MAX: Final = 99
"""How many messages in a row may be unsigned (section 5.3.1)."""
_COUNT_AT: Final = HEADER_BYTES - 2
_RECORD: Final = Struct("!HHIH")
_U16: Final = Struct("!H")
_ERROR_WORDS: Final = {BADSIG: "BADSIG", BADKEY: "BADKEY", BADTIME: "BADTIME", BADTRUNC: "BADTRUNC"}


class BadSignature(LbdnsError):
    """A reply that is not signed as it is to be."""


class TsigSession:
    """One request by one key, and what comes of it."""

    def __init__(self, name: str, algorithm: str, secret: bytes) -> None:
        """Sign by a key: its name, algorithm (`hmac-sha256`) and secret."""
        self._known = known_key(name, algorithm, secret)
        self._mac = b""
        self._digest: hmac.HMAC | None = None
        self._unsigned = 0
        self._is_first = True

    def sign(self, request: bytes, now_s: int) -> bytes:
        """Return a request with its TSIG record; `now_s`: unix."""
        known = self._known
        time_and_fudge = now_s.to_bytes(6) + _U16.pack(FUDGE_S)
        nothing = _U16.pack(NOERROR) + _U16.pack(0)
        self._mac = known.mac(b"", request[:2], request, time_and_fudge, nothing)[: known.least]
        data = known.algorithm + time_and_fudge + _U16.pack(len(self._mac)) + self._mac + request[:2] + nothing
        record = known.owner + _RECORD.pack(TYPE_TSIG, CLASS_ANY, 0, len(data)) + data
        self._is_first, self._digest, self._unsigned = True, None, 0
        return _counted(request, 1) + request[HEADER_BYTES:] + record

    def take(self, reply: bytes, signature: Signature | None, now_s: int) -> None:
        """Take the next reply; raises BadSignature. `signature`: its TSIG record, None where it has none."""
        if signature is None:
            self._take_unsigned(reply)
            return
        known = self._known
        if signature.key.lower() != known.owner or signature.algorithm.lower() != known.algorithm:
            raise BadSignature(f"the reply is signed by another key, {show_name(signature.key.lower())}")
        if signature.error:
            word = _ERROR_WORDS.get(signature.error, str(signature.error))
            raise BadSignature(f"the other side refuses the signature: {word}")
        size = len(signature.mac)
        if not known.takes_size(size) or size < known.least:
            raise BadSignature("the reply's signature has a length that none has")
        unsigned = _counted(reply, -1) + reply[HEADER_BYTES : signature.start]
        made = self._made(signature, unsigned)
        if not hmac.compare_digest(made[:size], signature.mac):
            raise BadSignature("the reply's signature is wrong: is the secret the same on both sides?")
        if abs(now_s - signature.time_s) > signature.fudge_s:
            raise BadSignature("the reply was signed at another time: the clocks of the two servers differ")
        self._mac, self._digest, self._unsigned, self._is_first = signature.mac, None, 0, False

    def _made(self, signature: Signature, unsigned: bytes) -> bytes:
        """Return the MAC that a reply is to have."""
        prefix = _U16.pack(len(self._mac)) + self._mac
        if self._is_first:
            error = _U16.pack(signature.error) + _U16.pack(len(signature.other)) + signature.other
            return self._known.mac(prefix, signature.original_id, unsigned, signature.time_and_fudge, error)
        digest = self._digest or self._begun()
        digest.update(signature.original_id + unsigned[2:] + signature.time_and_fudge)
        return digest.digest()

    def _begun(self) -> hmac.HMAC:
        digest = self._known.empty.copy()
        digest.update(_U16.pack(len(self._mac)) + self._mac)
        return digest

    def _take_unsigned(self, reply: bytes) -> None:
        self._unsigned += 1
        if self._is_first:
            raise BadSignature("the reply is not signed")
        if self._unsigned > UNSIGNED_MAX:
            raise BadSignature(f"more than {UNSIGNED_MAX} messages in a row are not signed")
        if self._digest is None:
            self._digest = self._begun()
        self._digest.update(reply)

    def finish(self) -> None:
        """Say that no more will come; raises BadSignature where the last message was not signed."""
        if self._unsigned or self._is_first:
            raise BadSignature("the last message of the reply is not signed")


def _counted(message: bytes, step: int) -> bytes:
    """Return a message's header with its count of additional records changed."""
    return message[:_COUNT_AT] + _U16.pack(_U16.unpack_from(message, _COUNT_AT)[0] + step)
