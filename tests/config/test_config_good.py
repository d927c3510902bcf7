"""Good configurations: what they come to, and that they come to the same when written out and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dns.name
import dns.rdata
import dns.rdatatype
import pytest
import yaml

from lbdns.base.errors import ConfigError
from lbdns.config.files_read import FilesRead
from lbdns.config.loading import load, parse
from lbdns.config.settings_loading import load_settings
from lbdns.dns.zone import Zone
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.model.socket_address import parse_mail_server, parse_resolver

HERE = Path(__file__).parent
EVERYTHING = HERE / "good" / "everything"
ZONE = "$TTL 300\n@ SOA ns.example.net. admin 1 2 3 4 5\n@ NS ns.example.net.\n"


def objects_of(configuration: Configuration) -> dict[str, Any]:
    """Return the balancing objects as plain values, without what is at its default."""
    named: dict[str, Any] = {
        section: {name: one.model_dump(mode="json", exclude_defaults=True) for name, one in objects.items()}
        for section, objects in (
            ("monitors", configuration.monitors),
            ("monitor_groups", configuration.monitor_groups),
            ("pools", configuration.pools),
        )
    }
    balancers = [one.model_dump(mode="json", exclude_defaults=True) for one in configuration.load_balancers]
    return {**named, "load_balancers": balancers}


def records(zone: Zone) -> list[str]:
    """Return a zone's records as text, in order."""
    found = []
    for rrset in zone.rrsets:
        owner = dns.name.from_wire(rrset.owner, 0)[0].to_text()
        rdtype = dns.rdatatype.RdataType.make(rrset.type)
        for wire in rrset.rdatas:
            rdata = dns.rdata.from_wire("IN", rdtype, wire, 0, len(wire))
            found.append(f"{rrset.line} {owner} {rrset.ttl} {dns.rdatatype.to_text(rdtype)} {rdata.to_text()}")
    return found


def test_every_key_and_form() -> None:
    files = FilesRead()
    loaded = load(EVERYTHING, files)
    configuration = loaded.configuration
    assert not loaded.warnings
    assert files.paths == tuple(
        EVERYTHING / name for name in ("lbdns.yaml", "balancing.yaml", "example.com.zone", "data/more.inc")
    )
    (everything, wildcard, unicode, mx, srv) = configuration.load_balancers
    assert everything.name == "www.example.com"
    assert everything.region_pools == {"WEU": ("eu",), "ENAM": ("us", "eu")}
    assert everything.country_pools == {"NO": ("eu",), "DE": ("eu", "us")}
    assert everything.pop_pools == {"FRA": ("eu",)}
    assert (wildcard.name, wildcard.steering_policy) == ("*.example.com", "off")
    assert (unicode.name, unicode.default_pools) == ("xn--bcher-kva.example.com", ("7",))
    assert (mx.type, srv.type) == ("MX", "SRV")
    assert srv.random_steering.weight_of("mail") == 0.25
    assert srv.random_steering.weight_of("other") == 0.5
    eu, us = configuration.pools["eu"], configuration.pools["us"]
    assert [endpoint.weight_hundredths for endpoint in eu.origins] == [7, 100, 29]
    assert eu.origins[0].header == {"Host": ("eu-1.example.com",)}
    assert eu.check_regions == ("WEU", "ENAM")
    assert [endpoint.address for endpoint in us.origins] == ["www.example.net", "192.0.2.12"]
    assert configuration.monitors["page"].expected_codes == "200"


def test_settings() -> None:
    settings = load_settings(EVERYTHING)
    assert settings == load(EVERYTHING).configuration.settings
    assert settings.listen == ("192.0.2.1:53", "[2001:db8::1]:53", "127.0.0.1:53")
    assert settings.listen_addresses() == (("192.0.2.1", 53), ("2001:db8::1", 53), ("127.0.0.1", 53))
    assert [parse_resolver(one) for one in settings.resolvers[1:]] == [
        ("2001:db8::53", 53),
        ("127.0.0.1", 5300),
        ("::1", 5300),
    ]
    assert (settings.pop.code, settings.pop.country, settings.pop.region) == ("FRA", "DE", "WEU")
    assert settings.geodata.city == EVERYTHING / "data" / "city.mmdb"
    assert settings.api is not None
    assert settings.api.key == EVERYTHING / "data" / "api.key"
    assert settings.control_path() == EVERYTHING / "run" / "control.sock"
    assert settings.state_dir() == EVERYTHING / "state"
    assert [(one.name, one.region, one.source) for one in settings.vantage_points] == [
        ("first", None, "192.0.2.1"),
        ("second", "ENAM", "2001:db8::1"),
    ]
    hook, mail = settings.notifications
    assert (hook.secret_header, hook.pools, hook.new_health) == ("X-Secret", ("eu*", "us"), "unhealthy")
    assert (mail.sender, parse_mail_server(mail.smtp)) == ("lbdns@example.com", ("mx.example.com", 587))


def test_settings_alone(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()
    (tmp_path / "lbdns.yaml").write_text("workers: 0\nlog: xml\n")
    (tmp_path / "broken.yaml").write_text("pools: [")
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert [problem.line for problem in caught.value.problems] == [1, 2]


def test_state_directory_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert Settings().control_path() == Path("/var/state/lbdns/control.sock")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Settings().state_dir() == Path("/home/somebody/.local/state/lbdns")


def test_records() -> None:
    (zone,) = load(EVERYTHING).configuration.zones
    assert zone.file == str(EVERYTHING / "example.com.zone")
    assert zone.apex == b"\x07example\x03com\x00"
    assert records(zone) == (HERE / "good" / "everything.records").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("form", ["json", "block"])
def test_written_out_and_read_again(form: str, tmp_path: Path) -> None:
    """JSON is YAML; the block form goes through every kind of node, with each text in quotes."""
    first = load(EVERYTHING).configuration
    tree = objects_of(first)
    text = json.dumps(tree) if form == "json" else yaml.dump(tree, default_style='"', Dumper=QuotingDumper)
    (tmp_path / "all.yaml").write_text(text)
    (tmp_path / "example.com.zone").write_text(ZONE)
    again = load(tmp_path).configuration
    assert again.load_balancers == first.load_balancers
    assert (again.pools, again.monitors) == (first.pools, first.monitors)
    assert again.monitor_groups == first.monitor_groups


class QuotingDumper(yaml.SafeDumper):
    """Quotes texts alone: `default_style` would give numbers a tag and quotes."""

    def represent_scalar(self, tag: str, value: Any, style: str | None = None) -> yaml.ScalarNode:
        """Return a node, quoted where it is a text."""
        return super().represent_scalar(tag, value, style if tag.endswith(":str") else "")


def test_a_dictionary_comes_to_the_same() -> None:
    first = load(EVERYTHING).configuration
    tree = {**objects_of(first), "zones": {"Example.COM.": ZONE}, "settings": {"workers": 3, "state": "here"}}
    loaded = parse(tree, Path("/srv"))
    assert loaded.configuration.load_balancers == first.load_balancers
    assert loaded.configuration.pools == first.pools
    assert loaded.configuration.settings.workers == 3
    assert loaded.configuration.settings.state == Path("/srv/here")
    assert loaded.configuration.zones[0].apex == b"\x07example\x03com\x00"


def test_an_empty_dictionary() -> None:
    assert parse({}, Path("/srv")).configuration == Configuration()


def test_mistakes_in_a_dictionary() -> None:
    tree = {
        "pools": {"eu": {"origins": [{"name": "a", "address": "192.0.2.300"}]}},
        "load_balancers": [{"name": "www.example.com", "default_pools": ["ue"], "fallback_pool": "eu"}],
        "zones": {"example.com": f"{ZONE}x A 1\n$INCLUDE secret\n", "a..b": ""},
        "settings": {"workers": 0},
        "pol": {},
    }
    with pytest.raises(ConfigError) as caught:
        parse(tree, Path("/srv"), "change 7")
    assert [str(problem) for problem in caught.value.problems] == [
        'change 7: load_balancers[www.example.com].default_pools[0]: unknown pool "ue"; '
        "no pool of a similar name is declared",
        'change 7: pol: unknown section "pol"; did you mean "pools"?',
        'change 7: pools.eu.origins[0].address: "192.0.2.300" is not an IP address: '
        "expected four numbers from 0 to 255, such as 192.0.2.10",
        "change 7: workers: 0 is out of bounds; expected at least 1",
        "change 7:a..b.zone: the file's name is to be the zone's: the name \"a..b.\" has an empty label: "
        "two dots in a row, or one at the beginning",
        'change 7:example.com.zone:4: x.example.com A: "1" is not an IPv4 address; expected one such as 192.0.2.1',
        "change 7:example.com.zone:5: $INCLUDE is not allowed here; put the records in its place",
    ]
    with pytest.raises(ConfigError, match="expected a mapping of zone names"):
        parse({"zones": ["example.com"]}, Path("/srv"))


def test_objects_in_several_files_and_zones(tmp_path: Path) -> None:
    """The longest zone is the load balancer's own; the order of files is that of their names."""
    (tmp_path / "example.com.zone").write_text(ZONE + "sub NS ns.example.net.\n")
    (tmp_path / "sub.example.com.zone").write_text(ZONE)
    (tmp_path / "b.yaml").write_text("pools: {eu: {origins: [{name: a, address: 192.0.2.1}]}}\nmonitors:\n")
    balancer = "{{name: {}, default_pools: [eu], fallback_pool: eu}}"
    names = ("www.sub.example.com", "www.example.com")
    (tmp_path / "a.yaml").write_text("load_balancers: [" + ", ".join(map(balancer.format, names)) + "]")
    (tmp_path / "c.yaml").write_text(f"load_balancers:\n - {balancer.format('sub.example.com')}\n")
    (tmp_path / "d.yaml").write_text("# nothing yet\n")
    configuration = load(tmp_path).configuration
    assert [one.name for one in configuration.load_balancers] == [*names, "sub.example.com"]
    assert len(configuration.zones) == 2


def test_name_servers_behind_load_balancers(tmp_path: Path) -> None:
    """A load balancer's addresses are the zone's own: an NS that points to one is not without an address."""
    (tmp_path / "example.com.zone").write_text("$TTL 9\n@ SOA a b 1 2 3 4 5\n@ NS ns\n@ NS x.any\n@ MX 5 x.off\n")
    pool = "pools: {eu: {origins: [{name: a, address: 192.0.2.1}]}}\n"
    fields = "default_pools: [eu], fallback_pool: eu"
    (tmp_path / "a.yaml").write_text(
        f"{pool}load_balancers:\n - {{name: ns.example.com, {fields}}}\n - {{name: '*.any.example.com', {fields}}}\n"
        f" - {{name: x.off.example.com, enabled: false, {fields}}}\n"
    )
    assert [warning.message for warning in load(tmp_path).warnings] == [
        'the target "x.off.example.com" has no address in this zone; add an A or AAAA record'
    ]
