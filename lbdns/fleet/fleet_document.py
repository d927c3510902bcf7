"""Documents on the bus: JSON objects with a version, deflated where they are long. No I/O.

    {"v": 1, "name": "AMS-1", ...}        as text up to DEFLATED_FROM octets, else as zlib made it (RFC 1950)

`v` is the version of the form, not of lbdns. A new key does not raise it: a reader passes over keys that it does not
know and takes a key that is lacking for its default, so that machines of neighbouring releases understand each other.
It is raised where an old reader would misunderstand, and an old reader then refuses, with a sentence.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.errors import LbdnsError

VERSION: Final = 1
VERSION_KEY: Final = "v"
DEFLATED_FROM: Final = 1024
DOCUMENT_BYTES_MAX: Final = 64 << 20
"""What a document may be once it is inflated: nothing that anybody sends makes a machine run out of memory."""
_TEXT_BEGINS: Final = b"{"


class BadDocument(LbdnsError):
    """A document of the bus cannot be read: damaged, too long, or of a version that came later."""


def encode_document(values: Mapping[str, Any], version: int = VERSION) -> bytes:
    """Return a document's octets."""
    text = json.dumps({VERSION_KEY: version, **values}, ensure_ascii=False, separators=(",", ":")).encode()
    return text if len(text) < DEFLATED_FROM else zlib.compress(text, 6)


def decode_document(data: bytes, version: int = VERSION, bytes_max: int = DOCUMENT_BYTES_MAX) -> dict[str, Any]:
    """Return what a document says, without its version; raises BadDocument."""
    try:
        values = json.loads(_inflated(data, bytes_max))
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"a document of the bus is damaged: {error}") from None
    if not isinstance(values, dict):
        raise BadDocument("a document of the bus is damaged: it is no object")
    said = values.pop(VERSION_KEY, None)
    if not isinstance(said, int) or isinstance(said, bool) or said < 1:
        raise BadDocument("a document of the bus has no version")
    if said > version:
        raise BadDocument(
            f"a document of the bus has version {said}, and this lbdns reads up to {version}: a newer release wrote it"
        )
    return values


def _inflated(data: bytes, bytes_max: int) -> bytes:
    if data.startswith(_TEXT_BEGINS):
        found = data
    else:
        inflater = zlib.decompressobj()
        try:
            found = inflater.decompress(data, bytes_max + 1)
        except zlib.error as error:
            raise BadDocument(f"a document of the bus is damaged: {error}") from None
        if len(found) <= bytes_max and not inflater.eof:
            raise BadDocument("a document of the bus is damaged: it ends too early")
    if len(found) > bytes_max:
        raise BadDocument(f"a document of the bus is longer than {bytes_max:,} octets")
    return found
