"""Words of a responder's slow path that count nothing: how much waits now.

They lie in its file of counters (counters.py), behind the fixed words that counter_words.py names, and are written with
its beat by the thread whose file it is.
"""

from __future__ import annotations

from typing import Final

from lbdns.mapped.counter_words import LONGEST_ADOPTION_NS

DEFERRED_WAITING: Final = LONGEST_ADOPTION_NS + 1  # queries for the slow path, of all its sockets
TCP_WAITING: Final = LONGEST_ADOPTION_NS + 2  # connections over TCP that wait for a message to be whole
TCP_IDLE: Final = LONGEST_ADOPTION_NS + 3  # connections over TCP that were answered and say nothing now
