"""The word of a thread that reads a queue of a network card, beside those that counter_words.py names.

It is written by the event loop of the process whose file it is, in the file of the queue's thread.
"""

from __future__ import annotations

from typing import Final

from lbdns.mapped.counter_words import UNPROXIED_COUNT

XDP_LOST: Final = UNPROXIED_COUNT + 1  # frames that the kernel had no room for in the queue's rings
