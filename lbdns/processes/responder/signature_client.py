"""How a responder has signatures made that the table lacks: it asks the signer and waits, but never for long.

    CLOSED --(a wait that came to nothing)--> OPEN: nothing is asked --(after a pause, each time longer)--> CLOSED ...

While the signer is dead, or hangs, the slow path is not to: it answers other zones as well. So a wait is bounded, and
one that came to nothing is followed by a pause in which nothing is asked. What is answered then is SERVFAIL, never
without signatures.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.dnssec.signer.signer_frames import (
    REPLY,
    REQUEST_BYTES_MAX,
    FrameReader,
    decode_reply,
    encode_request,
)
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.counter_words import SIGNATURES_ASKED, SIGNATURES_FAILED
from lbdns.mapped.counters import Counters, count_word
from lbdns.mapped.run_directory import unix_address

WAIT_S: Final = 0.25
"""How long one answer waits for its signatures."""
PAUSE_S: Final = 0.02
"""After nobody was there, which costs no time to see."""
PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 0.8
"""After a wait."""
READ_BYTES: Final = 1 << 16
LEFT_OUT: Final = "answers that lack a signature are SERVFAIL (DNSSEC Indeterminate), others go on"

log = logging.getLogger("lbdns.processes")


class SignatureClient:
    """Asks one signer, from one thread."""

    def __init__(self, path: Callable[[], Path], words: memoryview) -> None:
        """Ask at the socket that is at `path` then; `words`: the counters of the slow path."""
        self._path = path
        self._counters = Counters(words)
        self._sock: socket.socket | None = None
        self._reader = FrameReader(REQUEST_BYTES_MAX)
        self._is_new = False
        self._number = 0
        self._open_until_s = 0.0
        self._pause_s = PAUSE_FIRST_S
        self._trouble = LastingTrouble(log, "the signer answers again")

    def ask(self, wanted: Sequence[Unsigned]) -> Mapping[Unsigned, tuple[bytes, ...]]:
        """Return the data of the RRSIG records over each RRset that the signer signed; those that it did not, or not in
        time, are missing."""
        now_s = time.monotonic()
        if now_s < self._open_until_s:
            self._fail(len(wanted))
            return {}
        given: Mapping[Unsigned, tuple[bytes, ...]] = {}
        try:
            given = self._exchange(wanted, now_s + WAIT_S)
            self._trouble.end()
            self._pause_s = PAUSE_FIRST_S
        except (OSError, LbdnsError) as error:
            self._break(error)
        self._fail(len(wanted) - len(given))
        return given

    def close(self) -> None:
        """Let go of the connection."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _fail(self, count: int) -> None:
        if count:
            count_word(self._counters, SIGNATURES_FAILED, count)

    def _break(self, error: Exception) -> None:
        """Ask nothing for a while: what is there now is not to be waited for."""
        self.close()
        pause_s = PAUSE_S
        if isinstance(error, TimeoutError):
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, PAUSE_MAX_S)
        self._open_until_s = time.monotonic() + pause_s
        said = getattr(error, "strerror", None) or error
        self._trouble.begin(f"the signer does not answer ({said}): {LEFT_OUT}")

    def _exchange(self, wanted: Sequence[Unsigned], until_s: float) -> Mapping[Unsigned, tuple[bytes, ...]]:
        """Ask, and wait for the reply until then; raises OSError, LbdnsError."""
        try:
            return self._ask_over(self._connected(), wanted, until_s)
        except ConnectionError:
            if self._is_new:
                raise
            self.close()  # it was of a signer that has ended: another may be there
            return self._ask_over(self._connected(), wanted, until_s)

    def _ask_over(
        self, sock: socket.socket, wanted: Sequence[Unsigned], until_s: float
    ) -> Mapping[Unsigned, tuple[bytes, ...]]:
        self._number = self._number % 0xFFFFFFFF + 1
        count_word(self._counters, SIGNATURES_ASKED, len(wanted))
        sock.settimeout(WAIT_S)
        sock.sendall(encode_request(self._number, wanted))
        while (left_s := until_s - time.monotonic()) > 0:
            sock.settimeout(left_s)
            octets = sock.recv(READ_BYTES)
            if not octets:
                raise ConnectionResetError(None, "it ended")
            for frame in self._reader.take(octets):
                if frame.kind == REPLY and frame.number == self._number:
                    return {one: given for one, given in zip(wanted, decode_reply(frame.body), strict=False) if given}
        raise TimeoutError(None, "it takes too long")

    def _connected(self) -> socket.socket:
        self._is_new = self._sock is None
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                sock.settimeout(WAIT_S)
                with unix_address(self._path()) as address:
                    sock.connect(address)
            except OSError:
                sock.close()
                raise
            self._sock, self._reader = sock, FrameReader(REQUEST_BYTES_MAX)
        return self._sock
