"""A targets document whole, as no file has it."""

from __future__ import annotations

from pathlib import Path

from lbdns.model.configuration import Configuration
from lbdns.model.targets_document import encode_head, with_lists
from lbdns.publish.monitor_targets import TargetsMemo, targets_parts
from lbdns.snapshot.slots import Slots


def encode_targets(
    configuration: Configuration, slots: Slots, generation: int, table_path: Path, memo: TargetsMemo
) -> bytes:
    """Return the document of a generation with its lists."""
    head, pools, balancers = targets_parts(configuration, slots, generation, table_path, memo)
    return with_lists(encode_head(head), pools.whole(), balancers.whole())
