"""The one line by which a machine joins a fleet: where the hub is, and what proves to both that they belong together.

    lbdns-fleet-1-<base64url of: CRC-32 of what follows, deflated JSON of a FleetSecret>

Whoever has it is in the fleet: it is as secret as the password in it. The checksum tells a line that was cut off.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

from pydantic import ValidationError

from lbdns.base.errors import LbdnsError
from lbdns.model.fleet_secret import FleetSecret

_HEAD: Final = "lbdns-fleet-"
_VERSION: Final = "1"
_CRC_OCTETS: Final = 4
_TEXT_MAX: Final = 64 * 1024


def encode_join_token(secret: FleetSecret) -> str:
    """Return the line for machines that join the fleet of a secret."""
    told = secret.model_copy(update={"role": "member"})
    packed = zlib.compress(told.model_dump_json().encode(), 9)
    checked = zlib.crc32(packed).to_bytes(_CRC_OCTETS, "big") + packed
    return f"{_HEAD}{_VERSION}-{base64.urlsafe_b64encode(checked).decode().rstrip('=')}"


def decode_join_token(line: str) -> FleetSecret:
    """Return what a line says; raises LbdnsError, which does not repeat it."""
    text = "".join(line.split())
    if not text.startswith(_HEAD):
        raise LbdnsError(
            f'this is no token: "lbdns fleet init" and "lbdns fleet token" print a line that begins {_HEAD}'
        )
    version, _, body = text.removeprefix(_HEAD).partition("-")
    if version != _VERSION:
        raise LbdnsError("this token is of another release of lbdns than this one")
    try:
        checked = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        packed = checked[_CRC_OCTETS:]
        if zlib.crc32(packed) == int.from_bytes(checked[:_CRC_OCTETS], "big"):
            return FleetSecret.model_validate_json(zlib.decompressobj().decompress(packed, _TEXT_MAX))
    except (binascii.Error, zlib.error, ValidationError):
        pass  # told below, without what it holds
    raise LbdnsError("this token is not whole; copy all of the line")
