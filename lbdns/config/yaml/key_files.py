"""The secrets of TSIG keys: files that hold them, and those that are soon found."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic_core import PydanticCustomError

from lbdns.base.errors import Problem
from lbdns.base.wording import counted
from lbdns.config.yaml.list_files import ReadText
from lbdns.config.yaml.source import Source
from lbdns.dns.tsig import MD5
from lbdns.model.tsig_key import SHORT_SECRET_OCTETS, TsigKey, read_secret

KEYS: Final = "keys"


def check_secrets(keys: Sequence[TsigKey], written: Any, source: Source) -> Iterator[Problem]:
    """Yield a warning for each secret that is soon found by trying, and each hash that is weak; `written`: the list as
    it stands in the file, which may have more than what was made of it."""
    places: dict[str, int] = {}
    for index, one in enumerate(written if isinstance(written, list) else ()):
        if isinstance(one, dict):
            places.setdefault(_compared(one.get("name")), index)
    for position, key in enumerate(keys):
        at = KEYS, places.get(_compared(key.name), position)
        octets = len(key.octets)
        if 0 < octets < SHORT_SECRET_OCTETS:
            message = (
                f"the secret of {key.name} has {counted(octets, 'octet')}; have {SHORT_SECRET_OCTETS} at least, "
                "as tsig-keygen makes them"
            )
            yield source.warning(at, message)
        if key.algorithm == MD5:
            message = f"HMAC-MD5 is weak; let {key.name} have hmac-sha256, where who signs with it can"
            yield source.warning((*at, "algorithm"), message)


def _compared(name: object) -> str:
    return str(name).rstrip(".").lower()


def read_keys(
    keys: Sequence[TsigKey], base: Path, read: ReadText | None, problems: list[Problem]
) -> tuple[TsigKey, ...]:
    """Return keys with the secrets of their files, as far as they can be read; relative paths start from `base`.

    `read`: returns a file's text; without it files stay paths.
    """
    return tuple(_with_secret(key, base, read, problems) for key in keys)


def _with_secret(key: TsigKey, base: Path, read: ReadText | None, problems: list[Problem]) -> TsigKey:
    if key.secret_file is None:
        return key
    path = base / key.secret_file.expanduser()
    secret = None if read is None else _read(path, read, problems)
    # Where it was read, the secret is what is meant; a copy of it is kept for a start without the file.
    found = {"secret_file": Path(os.path.abspath(path))} if secret is None else {"secret_file": None, "secret": secret}
    return key.model_copy(update=found)


def _read(path: Path, read: ReadText, problems: list[Problem]) -> str | None:
    text = read(path)
    if text is None:
        return None
    if is_open(path):
        message = "everybody on this machine can read this secret; take that right from others (chmod o-r)"
        problems.append(Problem(str(path), 0, "", message, "warning"))
    try:
        return read_secret(text)
    except PydanticCustomError as error:
        problems.append(Problem(str(path), 0, "", error.message()))
        return None


def is_open(path: Path) -> bool:
    """Whether others than its owner and group may read a file."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
