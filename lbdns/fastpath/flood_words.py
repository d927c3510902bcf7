"""The numbers of floods.py."""

from __future__ import annotations

from typing import Final

FLOOD_PLACES: Final = 64  # for networks that have replies beyond the limit
FLOOD_WORDS: Final = 129  # a seed, then two for each place: a network and its votes
