"""Looking for objects by what people remember of them: a part of a name, a description, an endpoint's name or address.

The v4 API's search and, as `search` (ours), the lists of balancing objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import Query

from lbdns.manage.store.item import Item

QUERY_CHARS_MAX: Final = 255

SearchQuery = Annotated[
    str,
    Query(
        max_length=QUERY_CHARS_MAX,
        description="a part of a name, a description, an id, or an endpoint's name or address, in any case",
    ),
]


def matches(item: Item, wanted: str) -> bool:
    """Tell whether an object has a text, in lower case, in its name, description or id, or in an endpoint's."""
    texts = [item.label, str(item.body.get("description", "")), item.id]
    for endpoint in item.body.get("origins", ()):
        texts += [endpoint["name"], endpoint["address"]]
    return any(wanted in text.lower() for text in texts)


def found_by(search: str, items: Iterable[Item]) -> list[Item]:
    """Return the objects that a search is for: all where nothing is looked for."""
    wanted = search.strip().lower()
    return [item for item in items if matches(item, wanted)] if wanted else list(items)
