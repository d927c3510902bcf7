"""The secret file of a machine in a fleet, for its owner alone: what `lbdns fleet init` and `join` write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from lbdns.base.errors import LbdnsError
from lbdns.model.fields import Frozen

SECRET_VERSION: Final = 1
_CHARS_MAX: Final = 64 * 1024

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
Urls = Annotated[tuple[Annotated[str, StringConstraints(max_length=300)], ...], Field(max_length=16)]
Role = Literal["hub", "member"]


class FleetSecret(Frozen):
    """`user` and `password` are what all machines of the fleet show the bus; empty where that asks for something else.

    `ca` is the certificate, in PEM, that the bus's own comes from; empty where it is the system's or none. `role`:
    `hub` where the fleet was begun: its configuration is the one that the fleet begins with. `urls`: where machines go
    that join, `leaf_urls` where a leaf of theirs does.
    """

    v: Annotated[int, Field(ge=1, le=SECRET_VERSION)] = SECRET_VERSION
    fleet_id: Word
    role: Role = "member"
    user: str = ""
    password: str = ""
    ca: str = ""
    urls: Urls = ()
    leaf_urls: Urls = ()
    domain: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,63}$")] = ""


def read_fleet_secret(path: Path) -> FleetSecret:
    """Return what a secret file says; raises LbdnsError where it cannot be read, is no such file, or others read it."""
    try:
        with open(path, encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise LbdnsError(f'{path}: others than its owner may read it; say "chmod 600 {path}"')
            text = file.read(_CHARS_MAX)
        return FleetSecret.model_validate_json(text)
    except FileNotFoundError:
        raise LbdnsError(f'{path}: there is no such file; "lbdns fleet init" or "lbdns fleet join" writes it') from None
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read the fleet's secret: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError):
        # What a validation error says holds the value.
        told = 'this is no secret file of a fleet that this release reads; "lbdns fleet join" writes it anew'
        raise LbdnsError(f"{path}: {told}") from None
