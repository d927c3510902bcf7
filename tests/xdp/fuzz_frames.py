"""Seeded fuzzing of frames: damaged ones, each in memory of just its size, through all that reads and writes them.

    python -m tests.xdp.fuzz_frames [--count 20000] [--seed 1]

What is found in a frame is what a second reading of the RFCs finds there (made_frames.py); the fast path answers that,
and the frame of its reply is read again, with the reply in it. scripts/sanitize runs it on a build with sanitizers.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from random import Random

from lbdns.answer.steered import halves
from lbdns.fastpath.layout import OUT_BYTES
from tests.answer.mutations import good_messages, mutate
from tests.fastpath.fuzz_check import NOW_S, available_lanes, exact_buffer, make_view, read_corpus
from tests.xdp.made_frames import HEADS, checksum, datagram_of, frame, partial_frame

MESSAGES = 2000  # that were damaged once, to make frames of
HEAD_SHARE, FIELD_SHARE, DATA_SHARE, CUT_SHARE, MENDED_SHARE = 0.4, 0.3, 0.3, 0.1, 0.5
FIELDS = {4: (12, 14, 16, 17, 20, 23, 24, 25, 38, 39, 40, 41), 6: (12, 13, 14, 18, 19, 20, 58, 59, 60, 61)}
"""Octets of a frame that decide what it is."""


class FrameFuzz:
    """Makes frames, and holds each to what is said above."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Prepare in a folder."""
        from lbdns.xdp import datagram_frames

        self._frames = datagram_frames
        self._chance = chance = Random(seed)
        view = make_view(folder)
        lane = available_lanes()[-1]
        self._serve = lane.serve
        self._server = lane.server_class(view.columns, view.table.columns, view.region_index)
        known = [*good_messages(), *read_corpus()]
        messages = known + [mutate(chance.choice(known), chance, known) for _ in range(MESSAGES)]
        self._good = [
            (version, one)
            for message in messages
            for version in (4, 6)
            for one in (frame(version, message), partial_frame(version, message), frame(version, message, said=0))
        ]
        self.found = self.answered = 0

    def one(self) -> None:
        """Make a frame and read it; an AssertionError holds one that is read otherwise than it should be."""
        octets = self._made()
        held = exact_buffer(octets)
        datagram = self._frames.datagram_in(held)
        assert datagram == datagram_of(octets), octets.hex()
        if datagram is None:
            return
        self.found += 1
        reply = self._reply(octets, datagram)
        if reply:
            self.answered += 1
            back = self._frames.answered_with(held, reply, self.found & 0xFFFF)
            assert datagram_of(back) == reply and back[:12] == octets[6:12] + octets[:6], octets.hex()

    def _made(self) -> bytes:
        draw = self._chance.random
        version, good = self._good[int(draw() * len(self._good))]
        damaged = bytearray(good)
        head = HEADS[version]
        if draw() < FIELD_SHARE:
            at = FIELDS[version][int(draw() * len(FIELDS[version]))]
            damaged[at] = (0, 1, 255, damaged[at] ^ 1 << int(draw() * 8), int(draw() * 256))[int(draw() * 5)]
        if draw() < HEAD_SHARE:
            damaged[int(draw() * head)] = int(draw() * 256)
        if draw() < DATA_SHARE and len(damaged) > head:
            damaged[head + int(draw() * (len(damaged) - head))] ^= 1 << int(draw() * 8)
        if draw() < CUT_SHARE:
            del damaged[int(draw() * len(damaged)) :]
        elif draw() < CUT_SHARE:
            damaged += bytes(1 + int(draw() * 19))
        if version == 4 and len(damaged) >= head and draw() < MENDED_SHARE:
            damaged[24:26] = b"\0\0"
            damaged[24:26] = (0xFFFF - checksum(bytes(damaged[14:34]))).to_bytes(2)
        return bytes(damaged)

    def _reply(self, octets: bytes, datagram: bytes) -> bytes:
        query = self._server.query
        client = octets[26:30] if octets[12:14] == b"\x08\x00" else octets[22:38]
        query.resolver_version = 4 if len(client) == 4 else 6
        query.resolver_high, query.resolver_low = halves(client)
        query.now_s, query.draw_base = NOW_S, self._chance.getrandbits(64)
        out = exact_buffer(bytes(OUT_BYTES))
        size = self._serve(self._server, exact_buffer(datagram), 0, len(datagram), out, 0)
        return out[:size].tobytes() if size > 0 else b""


def main() -> None:
    """Run until `--count` frames are checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = FrameFuzz(Path(folder), said.seed)
        for _ in range(said.count):
            fuzz.one()
    print(
        f"{said.count} frames, seed {said.seed}: read as the RFCs want, {fuzz.found} of them whole, "
        f"{fuzz.answered} answered"
    )


if __name__ == "__main__":
    main()
