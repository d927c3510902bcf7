"""Keys that clients sign their queries with (TSIG, RFC 8945). A secret is in no message and in nobody's repr."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, StringConstraints, WithJsonSchema, model_validator

from lbdns.dns.name import ROOT, BadName, encode_canonical, show_name
from lbdns.dns.tsig import MD5, MD5_NAME
from lbdns.model import bounds
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.refusal import Mistake, refusal, refuse_all

SHORT_SECRET_OCTETS: Final = 16
"""Below this many, trying all secrets is nearer than breaking the hash: warned about."""


def parse_key_name(text: str) -> str:
    """Return the name of a key as all are compared: in lower case, without the final dot. Raises a refusal."""
    try:
        wire = encode_canonical(text)
    except BadName as error:
        raise refusal(f"a key's name is a domain name: {error}") from error
    if wire == ROOT:
        raise refusal(f'"{text}" names no key; expected a name such as ns2 or ns2.example.com')
    return show_name(wire)


def _key_name(value: Any) -> Any:
    return parse_key_name(value) if isinstance(value, str) and value else value


def _algorithm(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.lower().removesuffix(".")
    if text == MD5_NAME:
        return MD5
    if not text.startswith("hmac-"):  # it may be the secret, in the wrong place
        raise refusal("this is no algorithm; expected one such as hmac-sha256")
    return text


def _not_text(value: Any) -> Any:
    """Refuse a text where keys or a key should be, without repeating it: it may be a secret."""
    if isinstance(value, str):
        raise refusal("a text is no key; expected name, algorithm, and secret or secret_file")
    return value


def read_secret(value: Any) -> str:
    """Return a secret as base64 without anything that is not needed; raises a refusal, which does not repeat it."""
    if not isinstance(value, str):
        raise refusal("a secret is a text in base64; put it in quotes")
    text = "".join(value.split())
    if len(text) > bounds.MAX_KEY_SECRET_CHARS:
        raise refusal(f"a secret has at most {bounds.MAX_KEY_SECRET_CHARS:,} characters")
    try:
        octets = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal("the secret is not base64; tsig-keygen prints one that is") from error
    if not octets:
        raise refusal("the secret is empty; tsig-keygen prints one")
    return b64encode(octets).decode()


Algorithm = Annotated[
    Literal[
        "hmac-md5",
        "hmac-sha1",
        "hmac-sha224",
        "hmac-sha256",
        "hmac-sha256-128",
        "hmac-sha384",
        "hmac-sha384-192",
        "hmac-sha512",
        "hmac-sha512-256",
    ],
    BeforeValidator(_algorithm),
]
KeyName = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_NAME_CHARS), BeforeValidator(_key_name)]
KeySecret = Annotated[
    str,
    PlainValidator(read_secret),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": bounds.MAX_KEY_SECRET_CHARS}),
]


class TsigKey(Frozen):
    """A key that clients and this server sign messages with (TSIG, RFC 8945)."""

    name: KeyName
    """Its name, a domain name that both sides have; the case of letters has no meaning."""
    algorithm: Algorithm = "hmac-sha256"
    """The hash that it is made with. A number behind it says how many bits of a signature are enough; otherwise none
    may be cut short. HMAC-MD5 is there for clients that have nothing else."""
    secret: Annotated[KeySecret | None, Field(repr=False)] = None
    """The secret that both sides share, in base64."""
    secret_file: FilePath | None = None
    """A file that holds the secret in place of `secret`."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("TsigKey", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        about = (("secret",), ("secret_file",))
        if self.secret is None and self.secret_file is None:
            yield Mistake((), 'a key has a "secret" in base64, or a "secret_file" that holds it', about)
        elif self.secret is not None and self.secret_file is not None:
            yield Mistake(("secret_file",), "secret and secret_file; give one of the two", about)

    @property
    def octets(self) -> bytes:
        """The secret; empty where its file was not read."""
        return b64decode(self.secret) if self.secret is not None else b""


TsigKeys = Annotated[
    tuple[Annotated[TsigKey, BeforeValidator(_not_text)], ...],
    Field(max_length=bounds.MAX_KEYS),
    BeforeValidator(_not_text),
]
