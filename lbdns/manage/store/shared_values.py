"""Values that very many stored objects have in common, as one object each: words, ids that others name them by, times,
lists of one id.

A reader of JSON, and SQLite, make a new object of each value that they read, which is a third of what a load balancer's
body takes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from lbdns.base.kinds import Kind
from lbdns.base.reference_paths import ITEMS, VALUES, replacer
from lbdns.model.fields import Alike
from lbdns.model.kind_models import MODELS

_REFERENCES: Final = {
    kind: [(one.api_path[0], replacer(Kind(one.kind), one.api_path, one.api_path[-1])) for one in kind.references]
    for kind in Kind
}
_OF_LISTS: Final = {
    kind: [one.api_path[0] for one in kind.references if one.api_path[1:] == (VALUES, ITEMS)] for kind in Kind
}
"""Fields that hold lists of references by places."""
_PARTS_MAX: Final = 4096
_parts: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}


def _is_word(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal and all(isinstance(one, str) for one in get_args(field.annotation))


def _is_of_words(field: FieldInfo) -> bool:
    kind = field.annotation
    return isinstance(kind, type) and issubclass(kind, Alike) and all(map(_is_word, kind.model_fields.values()))


_WORDS: Final = {
    kind: [name for name, field in model.model_fields.items() if _is_word(field)] for kind, model in MODELS.items()
}
_OF_WORDS: Final = {
    kind: [name for name, field in model.model_fields.items() if _is_of_words(field)] for kind, model in MODELS.items()
}
"""Fields that hold fields that are words."""


def share_words(kind: Kind, body: dict[str, Any]) -> None:
    """Have words in a sound body, which is the caller's own, be the objects that others have."""
    for name in _WORDS.get(kind, ()):
        if name in body:
            body[name] = sys.intern(body[name])
    for name in _OF_WORDS.get(kind, ()):
        if name in body:
            part: Mapping[str, str] = body[name]
            key = tuple(part.items())
            known = _parts.get(key)
            if known is None and len(_parts) < _PARTS_MAX:
                known = _parts[key] = {sys.intern(field): sys.intern(word) for field, word in key}
            body[name] = part if known is None else known


def share_lists(kind: Kind, body: Mapping[str, Any], known: dict[str, list[str]]) -> None:
    """Have the lists of one id that a sound body has by places, in mappings which are the caller's own, be the objects
    that others have; `known`: those, by the id."""
    for name in _OF_LISTS[kind]:
        lists = body.get(name, {})
        for place, ids in lists.items():
            if len(ids) == 1:
                lists[place] = known.setdefault(ids[0], ids)


class SharedTexts:
    """Texts that the rows of a store have in common, while they are read."""

    def __init__(self) -> None:
        """Begin with none."""
        self._texts: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {}

    def of(self, text: str) -> str:
        """Return the same text: the object that was returned for one like it."""
        return self._texts.setdefault(text, text)

    def share(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body, which is the caller's own, in which words and references are the objects that others have;
        what is not of the expected shape stays as it is."""
        for field, replace in _REFERENCES[kind]:
            if field in body:
                replace(body, self._reference)
        # Where they are no words or lists, who makes a model of it says so.
        with suppress(TypeError, AttributeError):
            share_words(kind, body)
        with suppress(TypeError, AttributeError, KeyError):
            share_lists(kind, body, self._lists)
        return body

    def _reference(self, kind: Kind, reference: Any) -> Any:
        return self._texts.setdefault(reference, reference) if isinstance(reference, str) else reference
