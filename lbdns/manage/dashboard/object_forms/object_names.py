"""Objects by name in forms, by id in what the API is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbdns.base.kinds import Kind


class ObjectNames:
    """Names and ids of the objects that a form's references lead to, as `GET /lbdns/v1/names` has them."""

    def __init__(self, listed: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Take kind -> name -> id. Of a kind that is not listed, names and ids stand for themselves."""
        self._ids: Mapping[str, Mapping[str, str]] = listed or {}
        self._names = {kind: {id: name for name, id in named.items()} for kind, named in self._ids.items()}

    def name_of(self, kind: Kind, id: str) -> str:
        """Return an object's name; of one that there is not, what was given."""
        return self._names.get(kind.value, {}).get(id, id)

    def id_of(self, kind: Kind, name: str) -> str:
        """Return an object's id; of one that there is not, what was given: the API says what is wrong with it."""
        return self._ids.get(kind.value, {}).get(name, name)

    def all(self, kind: Kind) -> list[str]:
        """Return the names of all objects of a kind, in order."""
        return sorted(self._ids.get(kind.value, ()))

    def named(self, value: Any) -> Any:
        """Return JSON with every id that is known, as text or key, replaced by the object's name: for people."""
        if isinstance(value, Mapping):
            return {self.named(key): self.named(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.named(inner) for inner in value]
        if isinstance(value, str):
            return next((names[value] for names in self._names.values() if value in names), value)
        return value
