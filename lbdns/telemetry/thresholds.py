"""From where on something is wrong: what `lbdns status` reports, and docs/monitoring/alerts.yaml asks of Prometheus."""

from __future__ import annotations

from typing import Final

STALE_S: Final = 2.0
"""A process that has not beaten for so long is reported: with the checks' pace a monitor worker within 3 s."""
FIRST_BEAT_S: Final = 15.0
"""So long after a start nobody misses the monitor worker yet."""
FREE_MIN: Final = 0.05
"""The part of a file system that is to be free: what is kept, and the next generation, have to go somewhere."""
DEFERRED_WAITING_MAX: Final = 200
"""So many queries may wait for one responder's slow path, half of what one socket has room for."""
NOTIFICATION_WAITS_S: Final = 60.0
"""An alert that has not gone out for so long has a receiver that does not take it."""
CHANGE_WAITS_S: Final = 60.0
"""A change that is not in force for so long, and not refused either, is stuck."""
CERTIFICATE_DAYS_MIN: Final = 14.0
"""So many days a certificate is to have left."""
RENEWAL_LATE: Final = 0.1
"""This part of what a signature has left when it is to be made anew may pass until it is: a signer works or not."""
EXPIRY_NEAR: Final = 0.5
"""From this part on answers are in danger: not every cache cuts a TTL to what is left of a signature."""
HISTORY_SILENT_S: Final = 60.0
"""The history is written six times a minute."""
