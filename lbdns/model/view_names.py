"""The names of views, and what people call an object of a view. Light: the processes that answer and count use them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

PUBLIC: Final = "public"
"""The view of who is in no view."""
VIEW: Final = "view"
"""The field of an object that says its view."""
EVERY_VIEW: Final = ""
"""What an object says that everybody sees."""
VIEW_SIGN: Final = "@"
"""Between an object's name and its view's, in texts and in files' names. In names themselves it is escaped (RFC 1035
section 5.1)."""
_LABELLED: Final = re.compile(rf"(?P<name>.*[^\\]){VIEW_SIGN}(?P<view>[^{VIEW_SIGN}\\]+)", re.DOTALL)


def view_numbers(views: Iterable[str]) -> dict[str, int]:
    """Return the number of each view by its name: 0 is the public one's, the others follow in their order."""
    return {name: number for number, name in enumerate((PUBLIC, *views))}


def labelled(name: str, view: str) -> str:
    """Return what people call an object of a view: `www.example.com@office`; the name alone of what everybody sees."""
    return f"{name}{VIEW_SIGN}{view}" if view else name


def parted(label: str) -> tuple[str, str]:
    """Return the name and the view of what people call an object; the view is "" where it says none."""
    found = _LABELLED.fullmatch(label)
    return (found["name"], found["view"]) if found else (label, "")


def unlabelled(label: str) -> str:
    """Return the name of an object that is called so."""
    return parted(label)[0]
