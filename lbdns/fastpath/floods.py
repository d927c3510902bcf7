"""Which networks have most replies beyond the limit: what one thread of the fast path notes of each, in a few places.

A place has whoever hashes there and the votes for him: another network that comes takes one away, and the place where
none is left. So a network that floods keeps its place however many others ask, and its votes are no more than its
replies. The seed of the hash is new each time that the votes are taken: networks that meet in a place part again.

One thread notes, that of the event loop takes, without a lock: a vote that is given meanwhile may bring back those that
were just taken, once. Runs interpreted and compiled (types in the `.pxd`).
"""

from __future__ import annotations

from lbdns.base.networks import *
from lbdns.fastpath.flood_words import *
from lbdns.steering.kernel.hashing import mix64


class Floods:
    """The places: a seed, then a network and its votes for each."""

    def __init__(self) -> None:
        """Begin with none."""
        self.words = memoryview(bytearray(FLOOD_WORDS * 8)).cast("Q")

    def take(self, seed: int) -> list[tuple[int, int]]:
        """Return the networks that were noted since the last time, each with its votes, and begin anew with a seed."""
        found = []
        for place in range(1, FLOOD_WORDS, 2):
            if self.words[place + 1]:
                found.append((self.words[place], self.words[place + 1]))
                self.words[place + 1] = 0
        self.words[0] = seed
        return found


def note_limited(floods: Floods, version: int, high: int) -> None:
    """Note a reply beyond the limit by the network of its client. `version`, `high`: 4 or 6, and the first 64 bits of
    his address, an IPv4 one in the top 32; the network is noted as the first bits of that, as a number."""
    network = high >> (64 - (NETWORK_BITS_V4 if version == 4 else NETWORK_BITS_V6))
    place = 1 + 2 * (mix64(network ^ floods.words[0]) % FLOOD_PLACES)
    votes = floods.words[place + 1]
    if votes == 0:
        floods.words[place] = network
    floods.words[place + 1] = votes + 1 if floods.words[place] == network else votes - 1
