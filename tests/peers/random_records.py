"""A zone's records that change at random, as lines of a master file: types, delegations, odd data, many at once."""

from __future__ import annotations

import random
from typing import Final

NAMES: Final = 12
COMMON: Final = """@ NS ns1
@ NS ns2
ns1 A 127.0.0.1
ns2 AAAA 2001:db8::53
a.very.deep.name TXT "long {long}"
*.wild MX 10 ns1
cut NS ns.cut
ns.cut A 192.0.2.77
odd TYPE65500 \\# 4 01020304
""".format(long="y" * 200)
"""What every zone has."""


class RandomRecords:
    """One zone's records beside COMMON: `change` changes some. `mixes_ttls`: whether an RRset may have two TTLs, which
    RFC 2181 section 5.2 forbids; NSD as primary then sends differences that say the TTL of some of its records."""

    def __init__(self, rng: random.Random, mixes_ttls: bool) -> None:
        self._rng = rng
        self._mixes_ttls = mixes_ttls
        self._data: dict[str, str] = {}

    def lines(self) -> str:
        """Return them."""
        return "".join(f"{name} {data}\n" for name, data in sorted(self._data.items()))

    def change(self) -> None:
        """Add, change and delete some."""
        rng = self._rng
        for _ in range(rng.choice((1, 1, 1, 3, 20))):
            ttl = rng.choice((60, 300))
            other_ttl = 300 if self._mixes_ttls else ttl
            name = f"n{rng.randrange(NAMES)}" + rng.choice(("", ".sub", ".x.y"))
            if name in self._data and rng.random() < 0.4:
                del self._data[name]
            else:
                self._data[name] = rng.choice(
                    (
                        f"{ttl} A 192.0.2.{rng.randrange(4)}\n{name} {other_ttl} A 198.51.100.{rng.randrange(4)}",
                        f"AAAA 2001:db8::{rng.randrange(4)}",
                        f'TXT "{rng.randrange(10)}" "{"x" * rng.randrange(200)}"',
                        f"CNAME n{rng.randrange(NAMES)}.sub",
                        f"MX {rng.randrange(3)} NS1",
                        f"SRV 1 2 {rng.randrange(3)} ns1",
                        f"NS ns{rng.randrange(3)}.elsewhere.example.",
                    )
                )
