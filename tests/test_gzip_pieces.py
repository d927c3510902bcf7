"""Texts that were compressed each by itself read as one gzip file."""

from __future__ import annotations

import gzip
import random

import pytest

from lbdns.base.gzip_pieces import gzip_of, gzip_piece

TEXTS: tuple[list[bytes], ...] = (
    [],
    [b""],
    [b"one"],
    [b"a" * 100_000, b",", b"b" * 70_000, b"", random.Random(1).randbytes(300_000), b"a" * 100_000],
)


@pytest.mark.parametrize("texts", TEXTS)
def test_pieces_are_one_file(texts: list[bytes]) -> None:
    pieces = [gzip_piece(text) for text in texts]
    assert [piece.text for piece in pieces] == texts
    # Its checksum and its length are looked at here; a second member would be read by it, and not by most clients.
    assert gzip.decompress(b"".join(gzip_of(pieces))) == b"".join(texts)
    assert b"".join(gzip_of(pieces)).count(b"\x1f\x8b\x08\0\0\0\0\0") == 1


def test_a_piece_that_is_sent_again_is_the_same_whatever_stands_before_it() -> None:
    piece = gzip_piece(b"the same " * 1000)
    for before in (b"", b"x", b"the same " * 500):
        assert gzip.decompress(b"".join(gzip_of([gzip_piece(before), piece, piece]))) == before + piece.text * 2
