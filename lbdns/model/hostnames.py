"""Domain names as an operator writes them: checked, put into lower case, the trailing dot taken off.

Two grammars. An *owner name* (a load balancer's) has labels of letters, digits, hyphens and underscores, and its first
label may be `*` (RFC 4592); in its place may stand an IP address, which is in no zone. A *hostname* (an endpoint's
address) follows RFC 1123 section 2.1: no underscore, no hyphen at a label's edge, and a last label that is not all
digits, so that a mistyped IPv4 address is never taken for a host.
Unicode names become their A-labels.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

import idna

from lbdns.model.bounds import MAX_LABEL_CHARS, MAX_NAME_CHARS
from lbdns.model.refusal import refusal

_OWNER_FAST = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*", re.ASCII)
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_OWNER_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)


def parse_owner_name(text: str) -> str:
    """Return a load balancer's name in canonical form; raise a refusal that says what is wrong with it."""
    if len(text) <= MAX_NAME_CHARS and _OWNER_FAST.fullmatch(text):
        return text
    if ":" in text and "/" not in text:
        return _ipv6(text)
    labels = _labels(text)
    for index, label in enumerate(labels):
        if label == "*" and index == 0 and len(labels) > 1:
            continue
        if "*" in label:
            raise refusal(f'"{text}": "*" stands for a whole first label alone, as in "*.example.com"')
        if not _OWNER_LABEL.fullmatch(label):
            raise refusal(f'"{text}": the label "{label}" may hold letters, digits, "-" and "_" only')
    return ".".join(labels)


def parse_hostname(text: str) -> str:
    """Return a host's name in canonical form; raise a refusal that says what is wrong with it."""
    labels = _labels(text)
    for label in labels:
        if not _HOST_LABEL.fullmatch(label):
            hint = ", without an underscore" if "_" in label else ', with no "-" first or last' if "-" in label else ""
            raise refusal(
                f'"{text}": the label "{label}" of a hostname is made of letters, digits and "-"{hint} (RFC 1123)'
            )
    if labels[-1].isdigit():
        raise refusal(
            f'"{text}" is neither an IP address nor a hostname: a last label of digits belongs to an IPv4 address'
        )
    return ".".join(labels)


def _ipv6(text: str) -> str:
    """Return an IPv6 address in its shortest form; an IPv4 address is a name by its letters."""
    try:
        address = IPv6Address(text.strip())
    except AddressValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise refusal(f'"{text}" is neither a name nor an IPv6 address: no label may hold ":"')
    return str(address)


def _labels(text: str) -> list[str]:
    """Split a name into lower-case ASCII labels of lawful length."""
    name = text.strip().removesuffix(".")
    if not name:
        raise refusal("the name is empty; expected one such as www.example.com")
    if "://" in name or "/" in name:
        raise refusal(f'"{text}" is a URL; expected the name alone, such as www.example.com')
    labels = name.lower().split(".") if name.isascii() else _a_labels(text, name)
    for label in labels:
        if not label:
            raise refusal(f'"{text}" has an empty label: two dots in a row, or one at the beginning')
        if len(label) > MAX_LABEL_CHARS:
            raise refusal(f'"{text}" has a label of {len(label)} characters; at most {MAX_LABEL_CHARS} fit (RFC 1035)')
    length = sum(map(len, labels)) + len(labels) - 1
    if length > MAX_NAME_CHARS:
        raise refusal(f"the name has {length} characters; at most {MAX_NAME_CHARS} fit (RFC 1035)")
    return labels


def _a_labels(text: str, name: str) -> list[str]:
    """Encode a Unicode name as A-labels (IDNA 2008 after UTS 46 mapping); a `*` first label passes through."""
    star, rest = ("*", name[2:]) if name.startswith("*.") else ("", name)
    try:
        encoded = idna.encode(rest, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise refusal(f'"{text}" is not a lawful internationalised name: {error}') from error
    return ([star] if star else []) + encoded.split(".")
