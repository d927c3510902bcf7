"""Keys in a device: made there, signed with there, by PKCS #11 (OASIS, version 2.40); private halves never leave it.

The setting `dnssec.pkcs11` names the device's library, a token of it and a file with the token's PIN. A key is found by
its label, `<zone>+<algorithm>+<tag>`. The device is opened when it is first needed, anew after a fork (a library knows
nothing of its caller's children) and anew after a fault: a token that went away is used again when it is back.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import (
    ALGORITHM_NAMES,
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    KEY_FLAG_SEP,
    KEY_FLAG_ZONE,
    TOKEN_ALGORITHMS,
)
from lbdns.dns.name import show_absolute
from lbdns.dnssec.zone_keys import SigningKey, dnskey_rdata, signing_key

RETRY_S: Final = 1.0
"""How long a device is left alone that could not be opened: opening one that is gone may take a while."""
_CURVES: Final = {
    ECDSAP256SHA256: ("secp256r1", hashlib.sha256, 32),
    ECDSAP384SHA384: ("secp384r1", hashlib.sha384, 48),
}
"""By algorithm: curve, hash, and the octets of a coordinate. The hash is made here: not every device makes it too."""
_POINT: Final = 0x04
"""How a point of a curve begins that is not compressed (SEC 1 section 2.3.3)."""
_PIN_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a token is: the path of the device's library, the token's label, the path of the file with its PIN."""

    module: str
    token: str
    pin_file: str


def label_of(uri: str) -> str | None:
    """Return the label that a key's URI (RFC 7512) names, None where it names none."""
    if not uri.startswith("pkcs11:"):
        return None
    parts = dict(part.partition("=")[::2] for part in uri.removeprefix("pkcs11:").partition("?")[0].split(";"))
    return unquote(parts["object"]) if "object" in parts else None


class KeyToken:
    """A token, of which there may be none; `place` may be set anew, and counts from the next use on."""

    def __init__(self, elapsed_s: Callable[[], float]) -> None:
        """Use no token yet. `elapsed_s`: a clock that is never set."""
        self.place: TokenPlace | None = None
        self._elapsed_s = elapsed_s
        self._session: Any = None
        self._opened: tuple[int, TokenPlace] | None = None
        self._keys: dict[str, Any] = {}
        self._failed: tuple[TokenPlace, float, str] | None = None

    def generate(self, apex: bytes, algorithm: int, is_entry_point: bool) -> TokenKey:
        """Have a new key made in the token; raises LbdnsError."""
        if algorithm not in TOKEN_ALGORITHMS:
            words = ", ".join(f"{ALGORITHM_NAMES[one]} ({one})" for one in TOKEN_ALGORITHMS)
            raise LbdnsError(f"no keys of algorithm {algorithm} are made in a token (dnssec.pkcs11); expected {words}")
        with self._at_work("a key cannot be made") as pkcs11:
            flags = KEY_FLAG_ZONE | (KEY_FLAG_SEP if is_entry_point else 0)
            public, private = self._generate_pair(pkcs11, apex, algorithm)
            try:
                octets = _CURVES[algorithm][2]
                point = bytes(public[pkcs11.Attribute.EC_POINT])[-2 * octets - 1 :]
                if len(point) != 2 * octets + 1 or point[0] != _POINT:
                    raise LbdnsError("the token made a key whose public half cannot be read")
                key = signing_key(apex, dnskey_rdata(flags, algorithm, point[1:]))
                label = f"{show_absolute(apex)}+{algorithm:03}+{key.tag:05}"
                for half in (public, private):
                    half[pkcs11.Attribute.LABEL] = label
            except BaseException:
                private.destroy()
                public.destroy()
                raise
            return TokenKey(key, label, self)

    def sign(self, key: TokenKey, data: bytes) -> bytes:
        """Return a signature as RRSIG records have it (RFC 6605 section 4); raises LbdnsError."""
        _, hashed, _ = _CURVES[key.public.algorithm]
        digest = hashed(data).digest()
        with self._at_work(f"the key {key.label} cannot sign") as pkcs11:
            return bytes(self._private(pkcs11, key).sign(digest, mechanism=pkcs11.Mechanism.ECDSA))

    def destroy(self, key: TokenKey) -> None:
        """Destroy both halves of a key; raises LbdnsError."""
        with self._at_work(f"the key {key.label} cannot be destroyed") as pkcs11:
            self._keys.pop(key.label, None)
            for half in list(self._session.get_objects({pkcs11.Attribute.LABEL: key.label})):
                half.destroy()

    def _generate_pair(self, pkcs11: Any, apex: bytes, algorithm: int) -> tuple[Any, Any]:
        from pkcs11.util.ec import encode_named_curve_parameters

        attribute = pkcs11.Attribute
        curve = self._session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {attribute.EC_PARAMS: encode_named_curve_parameters(_CURVES[algorithm][0])},
            local=True,
        )
        private = {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True}
        return curve.generate_keypair(  # type: ignore[no-any-return]
            store=True, label=show_absolute(apex), id=os.urandom(16), private_template=private
        )

    def _private(self, pkcs11: Any, key: TokenKey) -> Any:
        found = self._keys.get(key.label)
        if found is None:
            wanted = {
                pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
                pkcs11.Attribute.LABEL: key.label,
            }
            there = list(self._session.get_objects(wanted))
            if len(there) != 1:
                raise LbdnsError(f"the token has {len(there)} private keys of the label {key.label}; expected one")
            found = self._keys[key.label] = there[0]
        return found

    @contextlib.contextmanager
    def _at_work(self, what: str) -> Iterator[Any]:
        """Have the token open; every fault of it is an LbdnsError that says `what` could not be done."""
        place = self.place
        if place is None:
            raise LbdnsError(f"{what}: it is in a token, and the setting dnssec.pkcs11 names none")
        pkcs11 = _library()
        if self._failed is not None and self._failed[0] == place and self._elapsed_s() < self._failed[1]:
            raise LbdnsError(f"{what}: {self._failed[2]}")
        try:
            if self._opened != (os.getpid(), place):
                self._open(pkcs11, place)
            yield pkcs11
        except LbdnsError as error:
            said = str(error)
        except pkcs11.PKCS11Error as error:
            # Whatever it was, the next use opens it anew: after most faults a session is no more.
            said, self._opened = _words(error, place), None
        else:
            return
        raise LbdnsError(f"{what}: {said}")

    def _open(self, pkcs11: Any, place: TokenPlace) -> None:
        self._opened, self._session, self._keys = None, None, {}
        try:
            module = pkcs11.lib(place.module)
            module.reinitialize()
            self._session = module.get_token(token_label=place.token).open(user_pin=_pin(place), rw=True)
        except (pkcs11.PKCS11Error, LbdnsError) as error:
            said = str(error) if isinstance(error, LbdnsError) else _words(error, place)
            self._failed = (place, self._elapsed_s() + RETRY_S, said)
            raise LbdnsError(said) from None
        self._opened, self._failed = (os.getpid(), place), None


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key whose private half is in a token, by its label there."""

    public: SigningKey
    label: str
    token: KeyToken

    @property
    def uri(self) -> str:
        """What the key is called for others (RFC 7512)."""
        place = self.token.place
        name = "" if place is None else f"token={quote(place.token, safe='')};"
        return f"pkcs11:{name}object={quote(self.label, safe='')};type=private"

    def __repr__(self) -> str:
        """Return which key it is."""
        return f"<key {self.label} in a token>"

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some data, as RRSIG records have it; raises LbdnsError where the token is away."""
        return self.token.sign(self, data)


def _library() -> Any:
    try:
        import pkcs11
    except ImportError:
        raise LbdnsError(
            "keys in a token (dnssec.pkcs11) need python-pkcs11, which is not installed: pip install 'lbdns[pkcs11]'"
        ) from None
    return pkcs11


def _pin(place: TokenPlace) -> str:
    try:
        with Path(place.pin_file).open(encoding="utf-8") as file:
            pin = file.read(_PIN_BYTES_MAX + 2).rstrip("\r\n")
    except OSError as error:
        raise LbdnsError(f"{place.pin_file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LbdnsError(f"{place.pin_file}: is no text") from None
    if not 0 < len(pin) <= _PIN_BYTES_MAX or "\n" in pin:
        raise LbdnsError(f"{place.pin_file}: is no PIN; expected a line of 1 to {_PIN_BYTES_MAX} characters")
    return pin


def _words(error: Exception, place: TokenPlace) -> str:
    """Return what went wrong in an operator's words: most of these errors have none of their own."""
    name = type(error).__name__
    said = {
        "NoSuchToken": f'{place.module} has no token "{place.token}"',
        "MultipleTokensReturned": f'{place.module} has several tokens "{place.token}"',
        "PinIncorrect": f'the PIN in {place.pin_file} is not that of the token "{place.token}"',
        "PinLocked": f'the token "{place.token}" has locked its PIN',
    }.get(name)
    return said or f'the token "{place.token}" of {place.module} failed: {name} {error}'.rstrip()
