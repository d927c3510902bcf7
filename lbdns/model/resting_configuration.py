"""A configuration of which the most rests as text until somebody asks for it: who answers needs none of it."""

from __future__ import annotations

import threading
from dataclasses import fields
from typing import Any, Final

from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import ObjectsDocument, decode_few, decode_objects, parts_of_document

_AT_REST: Final = frozenset(one.name for one in fields(ObjectsDocument))


class RestingConfiguration(Configuration):
    """A configuration as any other; the first who asks for what rests waits until that is read, and gets LbdnsError
    where it is none of this release."""

    __slots__ = ("_rest", "_turn")

    _rest: bytes
    _turn: threading.Lock

    @classmethod
    def of(cls, data: bytes) -> RestingConfiguration:
        """Return the configuration of a document (configuration_document.py); raises LbdnsError where what does not
        rest is none of this release."""
        made = cls.__new__(cls)
        few, rest = parts_of_document(data)
        for name, value in {**decode_few(few), "_rest": rest, "_turn": threading.Lock()}.items():
            object.__setattr__(made, name, value)
        return made

    def __getattr__(self, name: str) -> Any:
        """Read what rests, where this is of it: it has no value yet."""
        if name not in _AT_REST:
            raise AttributeError(name)
        with self._turn:
            if self._rest:
                for one, value in decode_objects(self._rest).items():
                    object.__setattr__(self, one, value)
                object.__setattr__(self, "_rest", b"")
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        """Say whether it is read, and read nothing: who prints a task prints what this is in."""
        return f"<{type(self).__name__}, {'read' if self.is_read else 'at rest'}>"

    @property
    def is_read(self) -> bool:
        """Whether nothing rests any more; one that was made of another never had anything that did."""
        return not getattr(self, "_rest", b"")
