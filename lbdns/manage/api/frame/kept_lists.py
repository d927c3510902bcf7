"""Long lists as they were sent last, compressed, piece by piece: what did not change since is not made anew.

    objects --cut--> pieces of some 250 --the same objects as in a piece that is kept?--> that piece
                                        `--else: their texts (object_texts.py), compressed--> a piece, which is kept

An object's id says whether a piece ends behind it, so that all pieces but the one in which objects come, go or change
stay what they are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from operator import is_
from typing import Final, NamedTuple

from lbdns.base.gzip_pieces import GzipPiece, gzip_piece
from lbdns.base.kinds import Kind
from lbdns.manage.api.frame.object_shapes import zone_name_of
from lbdns.manage.api.frame.object_texts import Forms, shown_texts
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State

LISTS_MAX: Final = 64
"""Of those asked for last."""
LAST_DIGITS: Final = "00"
"""Of an id behind whose object a piece ends: of one in 256, as they are drawn."""
PIECE_MAX: Final = 1000
"""Objects of a piece, whatever ids end with."""


class _Piece(NamedTuple):
    """Some objects of a list, one behind the other, and their text; `is_whole`: it ends where an object says so."""

    items: Sequence[Item]
    is_whole: bool
    text: GzipPiece


class _ListedPieces(NamedTuple):
    """The pieces of a list, by the id of the first object of each; the name of the zone is told of all objects."""

    zone_name: str | None
    pieces: dict[str, _Piece]


class KeptLists:
    """The lists of a site that were sent last."""

    def __init__(self) -> None:
        self._lists: dict[tuple[Kind, str], _ListedPieces] = {}
        self._turn = threading.Lock()  # lists are made in threads

    def pieces(self, items: Sequence[Item], state: State) -> Iterator[GzipPiece]:
        """Yield the texts of all objects of one kind and zone, in order; at least one, whole objects each.

        Threads may ask for the same at once: what one of them makes the other may find or make as well.
        """
        key = items[0].kind, items[0].zone_id
        zone_name = zone_name_of(items[0], state)
        known = self._lists.get(key)
        kept = known.pieces if known is not None and known.zone_name == zone_name else {}
        pieces: dict[str, _Piece] = {}
        forms: Forms = {}
        at = 0
        while at < len(items):
            piece = _found(kept.get(items[at].id), items, at) or _made(items, at, state, forms)
            pieces[items[at].id] = piece
            at += len(piece.items)
            yield piece.text
        self._keep(key, _ListedPieces(zone_name, pieces))

    def _keep(self, key: tuple[Kind, str], kept: _ListedPieces) -> None:
        with self._turn:
            self._lists.pop(key, None)
            while len(self._lists) >= LISTS_MAX:
                del self._lists[next(iter(self._lists))]
            self._lists[key] = kept


def _found(piece: _Piece | None, items: Sequence[Item], at: int) -> _Piece | None:
    """Return a piece where a list has just its objects from a place on."""
    if piece is None:
        return None
    end = at + len(piece.items)
    if end > len(items) or (end < len(items) and not piece.is_whole):
        return None
    return piece if all(map(is_, items[at:end], piece.items)) else None


def _made(items: Sequence[Item], at: int, state: State, forms: Forms) -> _Piece:
    """Return the piece that begins at a place of a list."""
    end = at + 1
    last = min(len(items), at + PIECE_MAX)
    while end < last and not items[end - 1].id.endswith(LAST_DIGITS):
        end += 1
    own = items[at:end]
    is_whole = own[-1].id.endswith(LAST_DIGITS) or len(own) == PIECE_MAX
    return _Piece(own, is_whole, gzip_piece(b"".join(shown_texts(own, state, forms))))
