"""The targets document as files: what a change leaves as it was is not written once more.

targets-N.json      all but the two lists, of which generations these are, and what is otherwise than they say
pools-N.json        the pools, and balancers-N.json the load balancers: the files of the generation before under
                    another name, as long as little is another
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.configuration import Configuration
from lbdns.model.targets_document import encode_head, with_edits
from lbdns.publish.copy_grounds import Written
from lbdns.publish.edited_text import EditedText
from lbdns.publish.monitor_targets import TargetsMemo, targets_head, targets_parts
from lbdns.snapshot.slots import Slots


class _WrittenList(NamedTuple):
    """A list that was written whole, the generation that wrote it, and where it was put last."""

    text: EditedText
    generation: int
    path: Path


class TargetsFiles:
    """Writes the documents of one run directory, one after the other."""

    def __init__(self, run: RunDirectory) -> None:
        """Begin with nothing written."""
        self._run = run
        self._memo = TargetsMemo()
        self._lists: tuple[_WrittenList | None, _WrittenList | None] = (None, None)

    def write(
        self,
        configuration: Configuration,
        slots: Slots,
        generation: int,
        table: Path,
        written: Written | None = None,
    ) -> tuple[EditedText, EditedText]:
        """Write a generation's document, each file whole or not at all, and readable by its owner alone (headers may
        hold secrets); raises OSError. Returns its lists, of pools and of load balancers. `written`: what was written of
        the same configuration and slots."""
        if written is None:
            head, *texts = targets_parts(configuration, slots, generation, table, self._memo)
        else:
            head, *texts = targets_head(configuration, slots, generation, table), written.pools, written.load_balancers
        document, *places = self._run.all_targets(generation)
        pools, balancers = (
            _put(text, generation, path, known) for text, path, known in zip(texts, places, self._lists, strict=True)
        )
        self._lists = pools, balancers
        whole = replace(head, pools_of=pools.generation, load_balancers_of=balancers.generation)
        _write(document, with_edits(encode_head(whole), texts[0].edits, texts[1].edits))
        return texts[0], texts[1]


def _put(text: EditedText, generation: int, path: Path, known: _WrittenList | None) -> _WrittenList:
    """Have the base of a list at a path: as a link to where it is, else written."""
    if known is not None and known.text.base is text.base:
        try:
            os.link(known.path, path)
        except OSError:
            pass  # it is gone with the generation that it was of, or the file system has no links
        else:
            return _WrittenList(text, known.generation, path)
    _write(path, b"[%b]" % text.base.text)
    return _WrittenList(text, generation, path)


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
    os.replace(partial, path)
