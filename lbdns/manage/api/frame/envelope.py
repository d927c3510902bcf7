"""The envelope around every answer: {"result", "success", "errors", "messages", "result_info"?}."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final, Protocol

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from lbdns.base.gzip_pieces import GzipPiece, gzip_of, gzip_piece
from lbdns.manage.api.frame.content_codings import GZIP
from lbdns.manage.api.frame.reply_messages import told

JSON_TYPE: Final = "application/json"
LISTED_AT_ONCE: Final = 250
"""Items of a long list that are encoded together."""
LOT_OCTETS: Final = 256 * 1024
"""Of a list in pieces that are sent together."""
_BEGIN: Final = gzip_piece(b'{"result":[')
_COMMA: Final = gzip_piece(b",")
_END: Final = b"]}}"


class Info(Protocol):
    """What stands in `result_info`."""

    def as_json(self) -> dict[str, int]:
        """Return it as the API says it."""


def ok(
    result: Any,
    result_info: Info | None = None,
    messages: Iterable[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a success: HTTP 200 with the result in its envelope. `result` is anything that JSON can say.

    `messages` come before those that were told while the request was answered.
    """
    body: dict[str, Any] = {"result": result, "success": True, "errors": [], "messages": [*messages, *told()]}
    if result_info is not None:
        body["result_info"] = result_info.as_json()
    return Response(to_json(body), media_type=JSON_TYPE, headers=dict(headers) if headers else None)


def ok_listed(pieces: Iterable[bytes], result_info: Info | None) -> Response:
    """Return what `ok` does, of a list that is JSON text already, in pieces with what stands between them.

    Of more than one piece each is made when those before it are sent: never is all of it there.
    """
    rest: dict[str, Any] = {"success": True, "errors": [], "messages": [*told()]}
    if result_info is not None:
        rest["result_info"] = result_info.as_json()
    left = iter(pieces)
    begin, end = b'{"result":[' + next(left, b""), b"]," + to_json(rest)[1:]
    second = next(left, None)
    if second is None:
        return Response(begin + end, media_type=JSON_TYPE)
    return StreamingResponse(chain((begin, second), left, (end,)), media_type=JSON_TYPE)


def ok_in_pieces(items: Iterable[GzipPiece], is_gzip: bool) -> Response:
    """Return what `ok_listed` does, of pieces that have some items each: as they are, where the client takes gzip.

    It is sent while it is made: never is all of it there, but where it is short.
    """
    end = b"]," + to_json({"success": True, "errors": [], "messages": [*told()]})[1:]
    texts = chain((_BEGIN,), _parted(items), (gzip_piece(end),))
    pieces = _in_lots(gzip_of(texts) if is_gzip else (piece.text for piece in texts))
    headers = {"Vary": "Accept-Encoding", **({"Content-Encoding": GZIP} if is_gzip else {})}
    first = next(pieces)
    for second in pieces:
        return StreamingResponse(chain((first, second), pieces), media_type=JSON_TYPE, headers=headers)
    return Response(first, media_type=JSON_TYPE, headers=headers)


def _parted(items: Iterable[GzipPiece]) -> Iterator[GzipPiece]:
    for at, piece in enumerate(items):
        if at:
            yield _COMMA
        yield piece


def _in_lots(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what some octets come to, as much at a time as is worth the way through the server."""
    lot: list[bytes] = []
    size = 0
    for piece in pieces:
        lot.append(piece)
        size += len(piece)
        if size >= LOT_OCTETS:
            yield b"".join(lot)
            lot, size = [], 0
    yield b"".join(lot)


def ok_with_list(
    result: Mapping[str, Any], key: str, items: Iterable[Any], messages: Iterable[Mapping[str, Any]] = ()
) -> Response:
    """Return a success whose result has a list, which may be long, as well.

    It is encoded in parts, a long one while it is sent: never is all of it there, neither as objects nor encoded.
    """
    begin = to_json({"success": True, "errors": [], "messages": [*messages, *told()]})[:-1] + b',"result":'
    begin += to_json(result)[:-1] + (b"," if result else b"") + to_json(key) + b":["
    left = iter(items)
    first = list(islice(left, LISTED_AT_ONCE))
    begin += to_json(first)[1:-1]
    if len(first) < LISTED_AT_ONCE:
        return Response(begin + _END, media_type=JSON_TYPE)
    return StreamingResponse(_pieces(begin, left), media_type=JSON_TYPE)


def _pieces(begin: bytes, left: Iterator[Any]) -> Iterator[bytes]:
    yield begin
    while part := list(islice(left, LISTED_AT_ONCE)):
        yield b"," + to_json(part)[1:-1]
    yield _END


def failed(
    status: int,
    errors: Iterable[Mapping[str, Any]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a failure in its envelope: result null, and what was wrong."""
    body = {"result": None, "success": False, "errors": list(errors), "messages": []}
    return Response(to_json(body), status, media_type=JSON_TYPE, headers=dict(headers) if headers else None)
