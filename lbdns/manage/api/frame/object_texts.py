"""Objects as the JSON text that `shown` comes to, octet for octet, where there are thousands of them.

    objects -> the values that they give -- encoded at once --> texts --.
            -> forms: all that is said of an object but those ----------'--> `form % texts`

Most of an object's fields are at their default, and which are not is the same for many, so that these share a form. Of
10,000 load balancers it takes a third of the time in which each is filled and encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from secrets import token_hex
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from lbdns.base.kinds import Kind
from lbdns.manage.api.frame.object_shapes import SHOWN_FIELDS, Fill, shown, shown_beside, zone_name_of
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State

AT_ONCE: Final = 500
"""Objects whose values are encoded together."""
FORMS_MAX: Final = 1024
"""Of ways to leave fields out that are kept, of each list."""
_TOKEN_OCTETS: Final = 16


class _Form(NamedTuple):
    """How objects are told that give the same fields: the text, with a place for each value; what gives those beside
    the fields, `before` of which stand before them, and those of the fields; and where among these stands what is to
    be filled, and by what."""

    text: bytes
    beside: Callable[[Item], tuple[Any, ...]]
    before: int
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    fills: tuple[tuple[int, Fill], ...]


Forms = dict[tuple[Kind, str, tuple[str, ...]], _Form | None]
"""By kind, zone, and the fields that are given."""
_WHOLE: Final = b"%b"


def shown_texts(items: Sequence[Item], state: State, forms: Forms | None = None) -> Iterator[bytes]:
    """Yield some objects as JSON text, with commas between them: all in a few pieces.

    `forms`: those that were made already, and where those are kept that are made, for who asks again of the same state.
    """
    forms = {} if forms is None else forms
    for start in range(0, len(items), AT_ONCE):
        texts: list[bytes] = []
        values: list[Any] = []
        for item in items[start : start + AT_ONCE]:
            text, given = _given(item, state, forms)
            texts.append(text)
            values += given
        yield (b"," if start else b"") + b",".join(texts) % _encoded(values)


def _given(item: Item, state: State, forms: Forms) -> tuple[bytes, Sequence[Any]]:
    """Return the text of an object, and the values that have their places in it."""
    body = item.body
    key = item.kind, item.zone_id, tuple(body)
    if key not in forms:
        if len(forms) >= FORMS_MAX:
            forms.clear()
        forms[key] = _form(item.kind, zone_name_of(item, state), body)
    form = forms[key]
    if form is None or item.disabled_at:  # which is told inside of fields
        return _WHOLE, (shown(item, state),)
    beside, values = form.beside(item), form.values(body)
    if form.fills:
        filled = [*values]
        for at, fill in form.fills:
            filled[at] = fill(filled[at])
        values = tuple(filled)
    return form.text, (*beside[: form.before], *values, *beside[form.before :])


def _form(kind: Kind, zone_name: str | None, body: Mapping[str, Any]) -> _Form | None:
    """Return how objects of a kind and a zone are told that give the same fields; None where one name would stand
    twice."""
    given = [one for one in SHOWN_FIELDS[kind] if one.name in body]
    names = [one.name for one in given]
    # Of one name an itemgetter gives no tuple.
    values = itemgetter(*names) if len(names) > 1 else lambda body: tuple(body[name] for name in names)
    fields = [
        (one.name, None if one.name in body else to_json(one.default))
        for one in SHOWN_FIELDS[kind]
        if one.always or one.name in body
    ]
    before, behind = shown_beside(kind, zone_name)
    ends = [[(one.name, None if one.attribute else to_json(one.same)) for one in those] for those in (before, behind)]
    pairs: list[tuple[str, bytes | None]] = [*ends[0], *fields, *ends[1]]
    if len(dict(pairs)) < len(pairs):
        return None
    texts = (
        to_json(name).replace(b"%", b"%%") + b":" + (b"%b" if text is None else text.replace(b"%", b"%%"))
        for name, text in pairs
    )
    fills = tuple((at, one.fill) for at, one in enumerate(given) if one.fill is not None)
    attributes = [one.attribute for one in (*before, *behind) if one.attribute]
    beside = attrgetter(*attributes) if len(attributes) > 1 else lambda item: (item.id,)  # which all have
    first = sum(1 for one in before if one.attribute)
    return _Form(b"{" + b",".join(texts) + b"}", beside, first, values, fills)


def _encoded(values: Sequence[Any]) -> tuple[bytes, ...]:
    """Return each of some values as JSON text: encoded all together, with something between them that is in none."""
    between = token_hex(_TOKEN_OCTETS)
    parted: list[Any] = [between] * (2 * len(values) - 1)
    parted[::2] = values
    return tuple(to_json(parted)[1:-1].split(b',"%b",' % between.encode()))
