"""The health table and the control file: shape, sharing, damage, and addresses under the sequence number."""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import time
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable, TableError
from lbdns.mapped.resolved import read_addresses, write_addresses


def test_columns_have_the_shapes_that_readers_rely_on(tmp_path: Path) -> None:
    table = HealthTable.create(tmp_path / "t", 5, 3, layout_id=2**63 + 9)
    shapes = {name: (view.format, len(view)) for name, view in table.columns.items()}
    assert table.layout_id == 2**63 + 9
    assert (table.endpoint_capacity, table.pool_capacity) == (5, 3)
    expected = {
        "endpoint_state": ("B", 5),
        "endpoint_measured": ("B", 5),
        "pool_state": ("B", 3),
        "pool_measured": ("B", 3),
        "pool_rtt": ("f", 39),
        "resolved_count": ("B", 10),
        "resolved_expiry": ("I", 5),
        "resolved_address": ("B", 5 * 256),
        "resolved_version": ("I", 5),
        "endpoint_since": ("d", 5),
        "endpoint_reason": ("B", 5),
        "endpoint_code": ("H", 5),
        "endpoint_rtt_us": ("I", 5),
        "endpoint_checks": ("Q", 5),
        "endpoint_passed": ("Q", 5),
        "endpoint_streak": ("i", 5),
        "pool_since": ("d", 3),
        "heartbeat_ns": ("Q", 1),
    }
    assert expected.items() <= shapes.items()
    assert all(view.c_contiguous for view in table.columns.values())
    table.close()


def test_a_write_is_seen_through_another_mapping_which_cannot_write(tmp_path: Path) -> None:
    table = HealthTable.create(tmp_path / "t", 2, 1, 7)
    reader = HealthTable.attach(tmp_path / "t")
    table.columns["endpoint_state"][1] = 2
    table.columns["pool_rtt"][12] = 1.5
    assert reader.columns["endpoint_state"][1] == 2
    assert reader.columns["pool_rtt"][12] == 1.5
    with pytest.raises(TypeError):
        reader.columns["endpoint_state"][1] = 0
    reader.close()
    table.close()


def test_a_larger_table_takes_over_what_the_smaller_knew(tmp_path: Path) -> None:
    small = HealthTable.create(tmp_path / "a", 2, 1, 1)
    small.columns["endpoint_state"][:] = b"\x01\x02"
    write_addresses(small.columns, 1, [b"\x7f\0\0\1"], [], 99)
    small.columns["pool_rtt"][3] = 9.0
    large = HealthTable.create(tmp_path / "b", 4, 2, 2)
    large.copy_from(small)
    assert bytes(large.columns["endpoint_state"]) == b"\x01\x02\0\0"
    assert read_addresses(large.columns, 1, 4) == [b"\x7f\0\0\1"]
    assert large.columns["pool_rtt"][3] == 9.0
    assert large.layout_id == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "not a health table"),
        (lambda data: b"X" + data[1:], "not a health table"),
        (lambda data: data[:-1], "cut short or damaged"),
        (lambda data: data[:8] + struct.pack("<I", 99) + data[12:], "format 99; this release reads format 3"),
        (lambda data: data[:24] + struct.pack("<I", 2**31) + data[28:], "cut short or damaged"),
    ],
)
def test_a_damaged_table_is_refused_in_words(tmp_path: Path, damage: object, message: str) -> None:
    path = tmp_path / "t"
    HealthTable.create(path, 3, 2, 1).close()
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(TableError, match=message):
        HealthTable.attach(path)


def test_a_missing_table_and_a_directory_without_room_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        HealthTable.attach(tmp_path / "none")
    with pytest.raises(TableError, match="cannot make the health table: No such file"):
        HealthTable.create(tmp_path / "none" / "t", 1, 1, 1)
    with pytest.raises(TableError, match="at most"):
        HealthTable.create(tmp_path / "t", 5_000_000, 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_addresses_of_both_families_are_bounded_and_come_back(tmp_path: Path) -> None:
    columns = HealthTable.create(tmp_path / "t", 2, 1, 1).columns
    v4 = [bytes([10, 0, 0, n]) for n in range(12)]
    v6 = [bytes(15) + bytes([n]) for n in range(9)]
    write_addresses(columns, 1, v4, v6, 2**40)
    assert read_addresses(columns, 1, 4) == v4[:8]
    assert read_addresses(columns, 1, 6) == v6[:8]
    assert read_addresses(columns, 0, 4) == []
    assert columns["resolved_expiry"][1] == 2**32 - 1
    write_addresses(columns, 1, v4[:1], [], 5)
    assert (read_addresses(columns, 1, 4), read_addresses(columns, 1, 6)) == (v4[:1], [])
    assert columns["resolved_version"][1] == 4


def test_a_write_that_never_ended_reads_as_none_and_is_healed_by_the_next(tmp_path: Path) -> None:
    columns = HealthTable.create(tmp_path / "t", 1, 1, 1).columns
    write_addresses(columns, 0, [b"\x7f\0\0\1"], [], 5)
    columns["resolved_version"][0] += 1
    assert read_addresses(columns, 0, 4) == []
    write_addresses(columns, 0, [b"\x7f\0\0\2"], [], 5)
    assert read_addresses(columns, 0, 4) == [b"\x7f\0\0\2"]
    assert columns["resolved_version"][0] % 2 == 0


def _flip_for_ever(path: Path) -> None:
    columns = HealthTable.attach(path, writable=True).columns
    one, two = [b"\x01" * 4] * 8, [b"\x02" * 4] * 3
    while True:
        write_addresses(columns, 0, one, [], 1)
        write_addresses(columns, 0, two, [], 1)


@pytest.mark.process
def test_a_writer_killed_midway_leaves_a_readable_table(tmp_path: Path) -> None:
    path = tmp_path / "t"
    table = HealthTable.create(path, 1, 1, 1)
    possible = [[], [b"\x01" * 4] * 8, [b"\x02" * 4] * 3]
    for _ in range(3):
        writer = multiprocessing.get_context("fork").Process(target=_flip_for_ever, args=(path,))
        writer.start()
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            assert read_addresses(table.columns, 0, 4) in possible
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        reader = HealthTable.attach(path)
        assert read_addresses(reader.columns, 0, 4) in possible
        reader.close()


def test_control_words_are_shared_and_checked(tmp_path: Path) -> None:
    control = Control.create(tmp_path / "control")
    reader = Control.attach(tmp_path / "control")
    control.generation, control.supervisor_pid, control.monitor_pid, control.ready = 2**63, 11, 12, True
    assert (reader.generation, reader.supervisor_pid, reader.monitor_pid, reader.ready) == (2**63, 11, 12, True)
    with pytest.raises(TypeError):
        reader.generation = 1
    control.set("forced_version", 3)
    assert reader.get("forced_version") == 3
    reader.close()
    control.close()
    (tmp_path / "control").write_bytes(bytes(4096))
    with pytest.raises(LbdnsError, match="not a control file"):
        Control.attach(tmp_path / "control")
    with pytest.raises(LbdnsError, match="No such file"):
        Control.attach(tmp_path / "none")
