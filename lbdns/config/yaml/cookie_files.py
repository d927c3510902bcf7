"""The secrets of DNS cookies: the file that several servers share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic_core import PydanticCustomError

from lbdns.base.errors import Problem
from lbdns.config.yaml.key_files import is_open
from lbdns.config.yaml.list_files import ReadText
from lbdns.model.guard_settings import CookieSettings, read_cookie_secret, read_cookie_secrets, too_many_secrets

COOKIES: Final = "cookies"


def read_cookies(
    settings: CookieSettings, base: Path, read: ReadText | None, problems: list[Problem]
) -> CookieSettings:
    """Return settings with the secrets of their file, as far as they can be read; a relative path starts from `base`.

    `read`: returns a file's text; without it the file stays a path.
    """
    if settings.secret_file is None:
        return settings
    path = base / settings.secret_file.expanduser()
    found = () if read is None else _read(path, read, problems)
    # Where they were read, the secrets are what is meant; a copy of them is kept for a start without the file.
    update = {"secret_file": None, "secrets": found} if found else {"secret_file": Path(os.path.abspath(path))}
    return settings.model_copy(update=update)


def _read(path: Path, read: ReadText, problems: list[Problem]) -> tuple[str, ...]:
    text = read(path)
    if text is None:
        return ()
    if is_open(path):
        message = "everybody on this machine can read these secrets; take that right from others (chmod o-r)"
        problems.append(Problem(str(path), 0, "", message, "warning"))
    found: dict[str, int] = {}
    lines = list(read_cookie_secrets(text))
    for number, line in lines:
        try:
            secret = read_cookie_secret(line)
        except PydanticCustomError as error:
            problems.append(Problem(str(path), number, "", error.message()))
            continue
        if secret in found:
            message = f"this secret stands in line {found[secret]} already; list it once"
            problems.append(Problem(str(path), number, "", message))
        found.setdefault(secret, number)
    told = too_many_secrets(len(lines)) if lines else "there is no secret in this file; openssl rand -hex 16 prints one"
    if told:
        problems.append(Problem(str(path), 0, "", told))
    return tuple(found)
