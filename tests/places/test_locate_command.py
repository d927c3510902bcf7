"""`lbdns locate`: for people and as JSON, known and unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lbdns.cli.main import main
from lbdns.places.shipped import country_database
from tests.places.databases import BUILD_EPOCH, encoded, write_database, write_raw

CITY = [
    ("192.0.2.0/24", {"country_code": "US", "state1": "California", "latitude": 37.4219, "longitude": -122.084}),
    ("2001:db8::/32", {"country_code": "DE", "state1": "BE"}),
]


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write_database(tmp_path / "city.mmdb", CITY)


@pytest.fixture
def asn(tmp_path: Path) -> Path:
    record = {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"}
    return write_database(tmp_path / "asn.mmdb", [("192.0.2.0/25", record)])


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run `lbdns locate` and return exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["locate", *arguments])
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


def test_for_people(capsys: pytest.CaptureFixture[str], city: Path, asn: Path) -> None:
    status, out, err = run(capsys, "192.0.2.1", "--city", str(city), "--asn", str(asn))
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[:7] == [
        "address      192.0.2.1",
        "network      192.0.2.0/24",
        "country      US (United States)",
        "subdivision  CA (California)",
        "region       WNAM (Western North America)",
        "coordinates  37.4219, -122.0840",
        "AS number    AS64496 Example Net",
    ]
    assert lines[7].startswith(f"database     {city} (Test, built 20")
    assert lines[8].startswith(f"database     {asn} (Test, built 20")


def test_unknown_is_said(capsys: pytest.CaptureFixture[str], city: Path, asn: Path) -> None:
    status, out, _ = run(capsys, "198.51.100.1", "--city", str(city))
    assert status == 0
    assert out.splitlines()[2:7] == [
        "country      unknown",
        "subdivision  unknown",
        "region       unknown",
        "coordinates  unknown",
        "AS number    unknown (no AS number database)",
    ]
    assert "AS number    unknown\n" in run(capsys, "198.51.100.1", "--asn", str(asn))[1]


def test_shipped_database_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """At country level an American address gets its country's default region, and that is said."""
    status, out, _ = run(capsys, "8.8.8.8")
    assert status == 0
    assert "region       ENAM (Eastern North America), the default of US: its subdivision is unknown\n" in out
    assert str(country_database()) in out


def test_a_centroid_is_called_one(capsys: pytest.CaptureFixture[str], city: Path) -> None:
    """Where no database knows coordinates, those that count for steering are shown, and whose they are."""
    status, out, _ = run(capsys, "193.0.6.139")
    assert status == 0
    assert "coordinates  52.0900, 5.2100 (centroid of Netherlands)\n" in out
    said = json.loads(run(capsys, "193.0.6.139", "--json")[1])
    assert (said["latitude"], said["longitude"], said["centroid_of"]) == (52.09, 5.21, "NL")
    assert "(centroid of DE-BE)\n" in run(capsys, "2001:db8::1", "--city", str(city))[1]
    assert json.loads(run(capsys, "2001:db8::1", "--json", "--city", str(city))[1])["centroid_of"] == "DE-BE"


def test_json(capsys: pytest.CaptureFixture[str], city: Path, asn: Path) -> None:
    status, out, _ = run(capsys, "192.0.2.1", "--json", "--city", str(city), "--asn", str(asn))
    said: dict[str, Any] = json.loads(out)
    databases = said.pop("databases")
    assert status == 0
    assert said == {
        "address": "192.0.2.1",
        "network": "192.0.2.0/24",
        "prefix_len": 24,
        "country": "US",
        "country_name": "United States",
        "subdivision": "CA",
        "subdivision_name": "California",
        "region": "WNAM",
        "region_name": "Western North America",
        "latitude": 37.4219,
        "longitude": -122.084,
        "asn": 64496,
        "asn_org": "Example Net",
    }
    assert [database["path"] for database in databases] == [str(city), str(asn)]


def test_json_of_the_unknown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """null, not an empty text, and the database's own date."""
    path = write_raw(tmp_path / "raw.mmdb", [(1 + 16, 1)], encoded({"country_code": "DE"}))
    said = json.loads(run(capsys, "192.0.2.1", "--json", "--city", str(path))[1])
    assert said["network"] == "128.0.0.0/1"
    unknown = ("country", "country_name", "subdivision", "subdivision_name", "region", "region_name", "latitude")
    assert [said[key] for key in (*unknown, "longitude", "asn", "asn_org")] == [None] * 10
    assert BUILD_EPOCH == 1_750_000_000
    assert said["databases"] == [{"path": str(path), "type": "Raw", "built": "2025-06-15"}]


@pytest.mark.parametrize("address", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"])
def test_a_mapped_address_is_its_ipv4_address(
    capsys: pytest.CaptureFixture[str], city: Path, asn: Path, address: str
) -> None:
    """And that address is said to be the one that was looked up."""
    databases = ("--city", str(city), "--asn", str(asn))
    status, out, err = run(capsys, address, *databases)
    plain = run(capsys, "192.0.2.1", *databases)[1]
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "address      192.0.2.1, which ::ffff:192.0.2.1 stands for"
    assert out.splitlines()[1:] == plain.splitlines()[1:]
    as_json = [run(capsys, text, "--json", *databases)[1] for text in (address, "192.0.2.1")]
    assert as_json[0] == as_json[1]


def test_databases_of_a_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path, city: Path) -> None:
    """Paths in lbdns.yaml are relative to it."""
    (tmp_path / "lbdns.yaml").write_text("geodata: {city: city.mmdb}\n")
    status, out, err = run(capsys, "2001:db8::1", "--config", str(tmp_path))
    assert (status, err) == (0, "")
    assert "country      DE (Germany)\nsubdivision  BE\nregion       WEU (Western Europe)\n" in out


def test_two_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One for each family, named one after the other."""
    four = write_database(tmp_path / "x-ipv4.mmdb", CITY[:1], ip_version=4)
    six = write_database(tmp_path / "x-ipv6.mmdb", CITY[1:], ip_version=6)
    for address, country in (("192.0.2.1", "US"), ("2001:db8::1", "DE")):
        status, out, err = run(capsys, address, "--json", "--city", str(four), "--city", str(six))
        assert (status, err, json.loads(out)["country"]) == (0, "", country)


def test_folder_of_a_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A folder with a file per family, as scripts/fetch-city-database makes it."""
    (tmp_path / "city").mkdir()
    write_database(tmp_path / "city" / "x-ipv4.mmdb", CITY[:1], ip_version=4)
    write_database(tmp_path / "city" / "x-ipv6.mmdb", CITY[1:], ip_version=6)
    (tmp_path / "lbdns.yaml").write_text("geodata: {city: city}\n")
    for address, country in (("192.0.2.1", "US"), ("2001:db8::1", "DE")):
        status, out, err = run(capsys, address, "--json", "--config", str(tmp_path))
        assert (status, err) == (0, "")
        assert json.loads(out)["country"] == country


def test_several_addresses(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    city = str(write_database(tmp_path / "city.mmdb", CITY))
    status, out, err = run(capsys, "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "--city", city)
    assert (status, err) == (0, "")
    parts = [part.splitlines() for part in out.split("\n\n")]
    assert [part[0] for part in parts] == [
        "address      192.0.2.1",
        "address      192.0.2.1, which ::ffff:192.0.2.1 stands for",
        "address      2001:db8::1",
    ]
    assert parts[2][2] == "country      DE (Germany)"
    _, out, _ = run(capsys, "192.0.2.1", "2001:db8::1", "--city", city, "--json")
    assert [one["country"] for one in json.loads(out)] == ["US", "DE"]
    status, out, err = run(capsys, "192.0.2.1", "300.1.1.1", "x", "--city", city)
    assert (status, out) == (2, "")
    assert "'300.1.1.1' is not an IPv4" in err and "'x' is not an IPv4" in err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("300.1.1.1",), 2, "'300.1.1.1' is not an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1"),
        ((), 2, "Missing argument 'IP...'"),
        (("192.0.2.1", "--config", ".", "--city", "x"), 2, "--config names the databases already"),
        (("192.0.2.1", "--city", "/none.mmdb"), 1, "lbdns: /none.mmdb: geolocation database: cannot be read: No such"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, message: str) -> None:
    ended, out, err = run(capsys, *arguments)
    assert (ended, out) == (status, "")
    assert message in err
