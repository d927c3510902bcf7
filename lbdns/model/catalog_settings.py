"""The setting `catalog` of a zone: a list of zones that travels as a zone (RFC 9432), read here or made here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from lbdns.model import bounds
from lbdns.model.dnssec_settings import ZoneName
from lbdns.model.fields import Frozen
from lbdns.model.refusal import Mistake, refuse_all

CONSUMER: Final = "consumer"
PRODUCER: Final = "producer"


class CatalogMember(NamedTuple):
    """A zone that is here because a catalog lists it: both apexes (wire format, lower case), the label that it is
    listed under, and its group, "" for none."""

    apex: bytes
    catalog: bytes
    unique: bytes
    group: str = ""


def role_alone(value: Any) -> Any:
    """Return a text as the role that it is."""
    return {"role": value} if isinstance(value, str) else value


GroupName = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_GROUP_CHARS)]
"""The name of a group: one string of a TXT record."""


class CatalogSettings(Frozen):
    """What a catalog zone is to this server."""

    role: Literal["consumer", "producer"]
    """`consumer`: it comes from the zone's `primaries`, and each zone that it lists comes from them as well.
    `producer`: it is made here, of the names of zones here."""
    zones: Annotated[tuple[ZoneName, ...], Field(max_length=bounds.MAX_CATALOG_MEMBERS)] | None = None
    """Of a producer: the zones that it lists; without it all that have records here."""
    groups: Annotated[
        dict[GroupName, Annotated[tuple[ZoneName, ...], Field(max_length=bounds.MAX_CATALOG_MEMBERS)]],
        Field(max_length=bounds.MAX_CATALOG_GROUPS),
    ] = Field(default_factory=dict)
    """Of a producer: which of them are in which group, as whoever takes the catalog is to treat them."""
    coo: Annotated[
        dict[ZoneName, Annotated[tuple[ZoneName, ...], Field(max_length=bounds.MAX_CATALOG_MEMBERS)]],
        Field(max_length=bounds.MAX_CATALOG_GROUPS),
    ] = Field(default_factory=dict)
    """Of a producer: to which other catalog which of them may go (change of ownership): whoever takes both keeps the
    zone as it is when that one lists it. Leave it here until all of them have taken it over."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("CatalogSettings", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.role == CONSUMER:
            for field in ("zones", "groups", "coo"):
                if getattr(self, field):
                    at = ((field,), ("role",))
                    yield Mistake((field,), "what a catalog lists that comes from elsewhere is said there", at)
        for field, said in (("groups", self.groups), ("coo", self.coo)):
            yield from self._mistakes_of(field, said)

    def _mistakes_of(self, field: str, said: Mapping[str, tuple[str, ...]]) -> Iterator[Mistake]:
        """Yield the mistakes of what is said of some of the zones, which may be said of each once."""
        seen: dict[str, str] = {}
        for one, zones in said.items():
            for index, zone in enumerate(zones):
                other = seen.setdefault(zone, one)
                at_zone = (field, one, index)
                if other != one:
                    message = f'in the group "{other}" already; a zone is in one'
                    if field == "coo":
                        message = f"to go to {other} already; a zone goes to one catalog"
                    yield Mistake(at_zone, f"{zone} is {message}", (at_zone,))
                elif self.zones is not None and zone not in self.zones:
                    yield Mistake(at_zone, f"the catalog does not list {zone}", (at_zone, ("zones",)))


Catalog = Annotated[CatalogSettings | None, BeforeValidator(role_alone)]
