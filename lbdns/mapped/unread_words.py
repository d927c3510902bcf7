"""Words of a responder's thread that the event loop counts in: datagrams that the kernel dropped before they were read.

They lie in the thread's file of counters (counters.py), behind the word of xdp_words.py.
"""

from __future__ import annotations

from typing import Final

from lbdns.mapped.xdp_words import XDP_LOST

UNREAD_FULL: Final = XDP_LOST + 1  # as their socket was full
UNREAD_FLOOD: Final = XDP_LOST + 2  # while networks that flood are kept out of it
