"""Large bodies are read in a process of their own: bounded by the body's size, and ended where they take too much."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.base.errors import Problem
from lbdns.base.own_package import package_environment
from lbdns.manage.api.frame import large_bodies, limits
from lbdns.manage.reading import configuration_reading, reader_process, request_bounds, zone_reading
from lbdns.manage.reading.frames import read_frames
from lbdns.manage.reading.request_bounds import MIB, SHORT_BYTES_MAX
from lbdns.manage.store.zones.zone_bodies import import_zone
from tests.api.conftest import Api

pytestmark = [pytest.mark.process, pytest.mark.slow]

SIZE = 8 * MIB
APPLY, PLAN = "/../../lbdns/v1/apply", "/../../lbdns/v1/plan"
BOUNDARY = "edge"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
SOA = "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"


def filled(item: str, size: int = SIZE) -> str:
    """Return an item as often as it takes to fill a size, commas between; N in it counts."""
    return ",".join(item.replace("N", str(number)) for number in range(size // len(item)))


def configuration(section: str, objects: str) -> bytes:
    return f'{{"configuration":{{"{section}":{objects}}}}}'.encode()


def form(text: str) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="z"\r\n\r\n'
    return f"{head}{text}\r\n--{BOUNDARY}--\r\n".encode()


POOL = '"pN":{"origins":[{"name":"a","address":"192.0.2.1"}],"description":"%s"}' % ("x" * 250)
BALANCER = '{"name":"wN.example.com","default_pools":["p"],"fallback_pool":"p","description":"%s"}' % ("x" * 150)
QUOTED = '"N":1'
CONFIGURATIONS = {
    "bad pools": configuration("pools", "{" + filled('"pN":{"origins":[{"name":"a","address":"x y"}]}') + "}"),
    "good pools": configuration("pools", "{" + filled(POOL) + "}"),
    "load balancers": configuration("load_balancers", "[" + filled(BALANCER) + "]"),
    "empty objects": configuration("pools", '{"a":[' + filled("{}") + "]}"),
    "short keys": configuration("pools", "{" + filled('"N":{}') + "}"),
    "one key again and again": configuration("pools", "{" + filled('"a":{}') + "}"),
    "one long text": configuration("pools", '{"a":"' + "x" * SIZE + '"}'),
    "one long number": configuration("pools", '{"a":' + "1" * SIZE + "}"),
    "nested": configuration("pools", "[" * SIZE),
    "zones": configuration("zones", "{" + filled('"zN.example":"x"') + "}"),
    "a zone of newlines": configuration("zones", '{"example.com":"' + "\\n" * (SIZE // 2) + '"}'),
    "sections": f'{{"configuration":{{{filled(QUOTED)}}}}}'.encode(),
    "fields": f"{{{filled(QUOTED)}}}".encode(),
    "no JSON": b"x" * SIZE,
}
ZONES = {
    "records": form(SOA + "".join(f"host{number} A 192.0.2.1\n" for number in range(SIZE // 24))),
    "mistakes": form("x y z w\n" * (SIZE // 8)),
    "newlines": form("\n" * SIZE),
    "comments": form(SOA + ";\n" * (SIZE // 2)),
    "parentheses": form("(\n" * (SIZE // 2)),
    "one line": form("a" * SIZE),
    "$GENERATE": form(SOA + "".join(f"$GENERATE 0-65535 h{number}-$ A 192.0.2.1\n" for number in range(100))),
    "no form": b"x" * SIZE,
    "parts": f"--{BOUNDARY}\r\n".encode() * (SIZE // 9),
}


READ_AND_MEASURE = """
import sys
from lbdns.manage.reading.__main__ import main
status = main()
sys.stderr.write(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
sys.exit(status)
"""


def read_by_process(kind: type[Any], arguments: dict[str, Any], body: bytes, told: int = -1) -> tuple[int, int, Any]:
    """Read a body as the API's process does: return its exit status, the most memory that it took in octets, and its
    last frame. `told`: how long it is told that the body is."""
    fd = os.memfd_create("body", 0)
    try:
        os.write(fd, body)
        command = [sys.executable, "-P", "-c", READ_AND_MEASURE, "--body-fd", str(fd)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[fd],
            env=package_environment() | {"RUST_BACKTRACE": "0"},
        )
        assert process.stdin and process.stdout and process.stderr
        task = {"kind": kind.__name__, "arguments": arguments, "byte_count": len(body) if told < 0 else told}
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.close()
        last = deque(read_frames(process.stdout), maxlen=1)
        process.stdout.close()
        with process:
            said = process.stderr.read()
        return process.returncode, int(said) * 1024 if said.isdigit() else 0, last[0] if last else None
    finally:
        os.close(fd)


@pytest.fixture(scope="module")
def idle_bytes() -> int:
    """What a process takes that reads next to nothing."""
    return read_by_process(configuration_reading.ConfigurationReading, {}, b'{"configuration":{}}')[1]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_is_read_within_what_its_size_allows(name: str, idle_bytes: int) -> None:
    body = CONFIGURATIONS[name]
    status, taken, last = read_by_process(configuration_reading.ConfigurationReading, {}, body)
    assert (status, last[0] in ("done", "bad", "refused", "mistakes")) == (0, True)
    assert taken - idle_bytes < request_bounds.MEMORY_LEAST + request_bounds.MEMORY_PER_BYTE * len(body)


def test_as_many_short_records_are_read_as_may_be_written() -> None:
    """What is allowed by its count is not refused by its memory: so many models weigh most beside so short a text."""
    text = SOA + "".join(f"h{number} A 192.0.2.1\n" for number in range(request_bounds.RECORDS_MAX - 3))
    body = json.dumps({"configuration": {"zones": {"example.com": text}}}).encode()
    status, _, last = read_by_process(configuration_reading.ConfigurationReading, {}, body)
    assert (status, last[0]) == (0, "done")


@pytest.mark.parametrize("name", ZONES)
def test_a_zone_is_read_within_what_its_size_allows(name: str, idle_bytes: int) -> None:
    body = ZONES[name]
    arguments = {"content_type": FORM, "zone_name": "example.com"}
    status, taken, last = read_by_process(zone_reading.ZoneReading, arguments, body)
    assert (status, last[0] in ("done", "bad", "refused", "mistakes")) == (0, True)
    assert taken - idle_bytes < request_bounds.MEMORY_LEAST + request_bounds.MEMORY_PER_BYTE * len(body)


def test_a_process_that_gets_no_more_memory_ends() -> None:
    """Told that the body is short, it may take as little as for a short one."""
    body = configuration("pools", "{" + filled('"N":{}', 6 * 2_400_000) + "}")
    status, _, last = read_by_process(configuration_reading.ConfigurationReading, {}, body, told=0)
    assert status in (request_bounds.TOO_HEAVY, -signal.SIGABRT) and last is None


def test_a_process_that_takes_too_long_is_ended(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_process, "READING_S", 0.01)
    answer = client.post(PLAN, content=CONFIGURATIONS["bad pools"])
    assert answer.status_code == 413
    assert "was ended: it may take 0.01 s" in answer.json()["errors"][0]["message"]
    assert _children() == []


def _children() -> list[str]:
    tasks = Path("/proc/self/task").iterdir()
    pids = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return [pid for pid in pids if "lbdns.manage.reading" in Path(f"/proc/{pid}/cmdline").read_text()]


def test_the_api_keeps_nothing_of_a_large_body(client: httpx.Client) -> None:
    body = CONFIGURATIONS["one long text"] + b" " * (6 * SIZE)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _memory("VmRSS")
    answer = client.post(PLAN, content=pieces(body))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"]["pointer"] == "/configuration/pools/a"
    assert _memory("VmHWM") - before < len(body) // 2


def _memory(key: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{key}:"))


def pieces(body: bytes) -> Iterator[bytes]:
    for at in range(0, len(body), 100_000):
        yield body[at : at + 100_000]


def test_what_another_process_read_is_what_a_thread_reads(api: Api, client: httpx.Client) -> None:
    pools = {f"p{number}": {"origins": [{"name": "a", "address": "192.0.2.1"}]} for number in range(300)}
    balancer = {"name": "www.example.com", "default_pools": ["p1"], "fallback_pool": "p1", "ttl": 60}
    tree = {"pools": pools, "zones": {"example.com": SOA + "a TXT x\n"}, "load_balancers": [balancer]}
    short = json.dumps({"configuration": tree, "message": "short", "prune": True}).encode()
    long = short + b" " * SHORT_BYTES_MAX
    assert len(short) < SHORT_BYTES_MAX
    first = client.post(APPLY, content=pieces(long)).json()["result"]  # chunked: nobody says how long it is
    assert first["counts"]["create"] == {"pool": 300, "zone": 1, "record": 3, "load_balancer": 1}
    for body in (short, long):
        again = client.post(PLAN, content=body).json()["result"]
        assert again["differences"] == []


def test_a_mistake_that_another_process_found_is_pointed_to(client: httpx.Client) -> None:
    tree = {
        "pools": {"p": {"origins": [{"name": "a", "address": "x y"}]}},
        "load_balancers": [{"name": "www.example.com", "default_pools": ["q"], "fallback_pool": "p"}],
        "zones": {"example.com": SOA + "a A x\n"},
    }
    body = json.dumps({"configuration": tree}).encode()
    short, long = (client.post(PLAN, content=sent).json() for sent in (body, body + b" " * SHORT_BYTES_MAX))
    assert short == long
    assert {error["source"]["pointer"] for error in long["errors"]} >= {
        "/configuration/pools/p/origins/0/address",
        "/configuration/load_balancers/0/default_pools/0",
        "/configuration/zones/example.com",
    }


@pytest.mark.parametrize(("section", "most"), request_bounds.OBJECTS_MAX.items())
def test_a_section_is_counted_before_its_objects_are_looked_at(client: httpx.Client, section: str, most: int) -> None:
    objects = (
        "[" + "{}," * most + "{}]" if section == "load_balancers" else "{" + filled('"N":{}', 6 * (most + 1)) + "}"
    )
    errors = client.post(PLAN, content=configuration(section, objects)).json()["errors"]
    assert errors == [
        {
            "code": 1002,
            "message": f"configuration.{section}: {most + 1:,} entries; expected at most {most:,}: validation failed",
            "source": {"pointer": f"/configuration/{section}"},
        }
    ]


def test_endpoints_are_counted_before_they_are_looked_at(client: httpx.Client) -> None:
    pools: dict[str, Any] = {
        f"p{number}": {"origins": [{}] * 1000} for number in range(request_bounds.ENDPOINTS_MAX // 1000 + 1)
    }
    errors = client.post(PLAN, json={"configuration": {"pools": pools}}).json()["errors"]
    assert [error["message"] for error in errors] == [
        "configuration.pools: 101,000 endpoints in all; expected at most 100,000: validation failed"
    ]


def test_what_generate_makes_is_counted_before_it_is_made() -> None:
    problems: list[Problem] = []
    text = SOA + "$GENERATE 1-65536 h$ A 192.0.2.1\nlater A 192.0.2.1\n"
    zone = import_zone(text, "example.com", problems, records_max=1000)
    assert [problem.message for problem in problems] == ["more than 1,000 records; nothing from here on was read"]
    assert len(zone.records) == 2


def test_a_few_octets_that_make_many_records_are_read_by_a_process(
    client: httpx.Client, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        raise AssertionError("read in a thread")

    monkeypatch.setattr(large_bodies, "read_here", refuse)
    zone = api.zone()
    answer = client.post(f"/zones/{zone.id}/dns_records/import", files={"file": b"$generate 1-9 h$ A 192.0.2.$\n"})
    assert answer.json()["result"]["recs_added"] == 9


def test_large_bodies_that_are_kept_have_a_bound_together(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_bodies, "SPOOLED_BYTES_MAX", SIZE // 2)
    answer = client.post(PLAN, content=CONFIGURATIONS["no JSON"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    monkeypatch.undo()
    assert client.post(PLAN, content=CONFIGURATIONS["no JSON"]).status_code == 400


@pytest.mark.parametrize("path", ["/lbdns/v1/tokens", "/lbdns/v1/revisions/1/restore", "/lbdns/v1/explain"])
def test_what_takes_no_whole_configuration_takes_no_large_body(path: str) -> None:
    assert limits.body_bytes_max(path) == request_bounds.BODY_BYTES_MAX
