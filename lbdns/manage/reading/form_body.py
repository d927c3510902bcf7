"""A form (RFC 7578) -> the master file in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from lbdns.manage.reading.body_refused import BadBody, BodyRefused
from lbdns.manage.reading.request_bounds import FORM_PARTS_MAX, LARGE_BODY_BYTES_MAX, MIB

FORM_TYPE: Final = "multipart/form-data"


def file_of_form(body: bytes, content_type: str) -> str:
    """Return the text of the form's field `file`; raises BadBody and BodyRefused."""
    if parse_options_header(content_type)[0].lower() != FORM_TYPE.encode():
        raise BadBody(f"expected a form, Content-Type: {FORM_TYPE}, with the master file as `file`")
    parser = MultiPartParser(
        Headers({"content-type": content_type}),
        _pieces(body),
        max_files=FORM_PARTS_MAX,
        max_fields=FORM_PARTS_MAX,
        max_part_size=LARGE_BODY_BYTES_MAX,
    )
    parser.spool_max_size = LARGE_BODY_BYTES_MAX  # never a file on the disk
    return asyncio.run(_read(parser))


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(body), MIB):
        yield body[at : at + MIB]


async def _read(parser: MultiPartParser) -> str:
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadBody(f"the form cannot be read: {error.message}") from None
    try:
        return await _file_in(form)
    finally:
        await form.close()


async def _file_in(form: FormData) -> str:
    found = form.get("file")
    if found is None:
        raise BodyRefused(("file: the form has no such field; it holds the master file", ("file",)))
    if form.get("proxied") not in (None, "", "false"):
        words = "lbdns answers queries and carries no traffic, so records cannot be proxied"
        raise BodyRefused((f"proxied: {words}", ("proxied",)))
    if not isinstance(found, UploadFile):
        return found
    try:
        return (await found.read()).decode()
    except UnicodeDecodeError as error:
        raise BodyRefused((f"file: octet {error.start} is not UTF-8", ("file",))) from None
