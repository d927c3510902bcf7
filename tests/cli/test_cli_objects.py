"""`lbdns lb`, `pool`, `monitor`, `token`: against a running server with its store, as an operator uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from lbdns.cli.commands.lb_command import lb
from tests.cli.commands import done, refused, run
from tests.store.served import StoreServer, wait_until

pytestmark = pytest.mark.process

OBJECTS = 5  # the revision of the fixture's objects
ZONE = "@ 60 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n"


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A server whose store has a zone, a monitor, two pools and a load balancer; LBDNS_SETTINGS says where it is."""
    work: Path = tmp_path_factory.mktemp("cli")
    started = StoreServer(work, f"state: {work / 'state'}")
    try:
        started.start()
        started.wait_for_api()
        (work / "zone").mkdir()
        (work / "zone" / "example.com.zone").write_text(ZONE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LBDNS_SETTINGS", str(started.settings_file))
            done("apply", str(work / "zone"), "--yes")
            done("monitor", "create", "web", "--path", "/health", "--port", "9", "consecutive_down=3")
            eu = ("--origin", "eu-1=192.0.2.10", "--origin", "eu-2=192.0.2.11,weight=0.5")
            done("pool", "create", "eu", *eu, "latitude=52.4", "longitude=4.9")
            done("pool", "create", "us", "--monitor", "web", "--origin", "us-1=127.0.0.20")
            done("lb", "create", "www.example.com", "--pools", "eu,us", "--region", "ENAM=us,eu", "ttl=60")
            yield started
    finally:
        started.close()


@pytest.fixture
def web(server: StoreServer) -> Iterator[StoreServer]:
    """The same, and its objects are as they were when the test is over."""
    yield server
    done("revision", "restore", str(OBJECTS), "--yes")


def test_what_is_created_is_served_and_listed(web: StoreServer) -> None:
    assert web.addresses("www.example.com") in (["192.0.2.10"], ["192.0.2.11"])
    wait_until(lambda: "us-1 127.0.0.20 unhealthy" in done("pool", "list"), lambda: web.log)
    pools = done("pool", "list")
    for text in ("eu-1 192.0.2.10", "eu-2 192.0.2.11", "us-1 127.0.0.20", "web", "52.4, 4.9", "no monitor"):
        assert text in pools
    balancers = done("lb", "list")
    for text in ("www.example.com", "geo", "eu, us", "us", "60"):
        assert text in balancers
    assert "GET /health port 9" in done("monitor", "list")
    (balancer,) = run("lb", "list", "--json").json
    assert (balancer["name"], balancer["ttl"], len(balancer["default_pools"][0])) == ("www.example.com", 60, 32)
    assert balancer["zone_name"] == "example.com"


def test_show_prints_what_files_have(web: StoreServer) -> None:
    shown = done("lb", "show", "www.example.com")
    assert yaml.safe_load(shown) == {
        "load_balancers": [
            {
                "name": "www.example.com",
                "default_pools": ["eu", "us"],
                "fallback_pool": "us",
                "ttl": 60,
                "region_pools": {"ENAM": ["us", "eu"]},
            }
        ]
    }
    assert "revision " in shown and "# in the zone example.com" in shown and "# health: " in shown
    pool = done("pool", "show", "eu")
    assert yaml.safe_load(pool)["pools"]["eu"]["origins"][1] == {"name": "eu-2", "address": "192.0.2.11", "weight": 0.5}
    assert "#   eu-1 no monitor" in pool
    told = run("pool", "show", "us", "--json").json
    assert {"id", "origins", "revision", "health", "created_on"} <= set(told)
    assert done("pool", "show", told["id"]) == done("pool", "show", "us")


def test_set_changes_what_is_named(web: StoreServer) -> None:
    told = done("pool", "set", "eu", "origins.eu-2.weight=0.2", "origins.eu-3=192.0.2.12", "monitor=web")
    assert "eu: changed in revision" in told
    assert "origins.eu-2.weight: 0.5 -> 0.2" in told and "+ origins.eu-3: {address: 192.0.2.12}" in told
    assert "monitor: none -> web" in told
    assert done("pool", "set", "eu", "monitor=web") == "pool eu: nothing changed\n"
    done("pool", "set", "eu", "monitor=null", "origins.eu-3=null")
    assert "monitor" not in yaml.safe_load(done("pool", "show", "eu"))["pools"]["eu"]
    done("lb", "set", "www.example.com.", "steering_policy=random", "random_steering.pool_weights.us=0")
    shown = yaml.safe_load(done("lb", "show", "www.example.com"))["load_balancers"][0]
    assert (shown["steering_policy"], shown["random_steering"]) == ("random", {"pool_weights": {"us": 0}})
    assert run("monitor", "set", "web", "expected_codes=204", "--json").json["expected_codes"] == "204"


def test_mistakes_are_told_where_they_are(web: StoreServer) -> None:
    assert refused("pool", "set", "eu", "origins.eu-2.weight=3", "nmae=x") == [
        'lbdns: nmae: unknown key "nmae"; did you mean "name"?',
        "lbdns: origins[1].weight: 3 is out of bounds; expected at most 1",
    ]
    assert refused("pool", "create", "asia", "--origin", "a=192.0.2.1", "--monitor", "wbe") == [
        'lbdns: monitor: unknown monitor "wbe"; did you mean "web"?'
    ]
    assert refused("lb", "show", "www.exmaple.com") == [
        'lbdns: there is no load balancer "www.exmaple.com"; did you mean "www.example.com"?'
    ]
    assert refused("pool", "show", "asia") == ['lbdns: there is no pool "asia"']
    assert refused("pool", "create", "eu", "--origin", "a=192.0.2.1") == [
        'lbdns: name: there is a pool "eu" already; names are unique'
    ]
    assert 'no zone here holds "www.example.org"' in refused("lb", "create", "www.example.org", "--pools", "eu")[0]
    assert refused("pool", "delete", "eu", "--yes") == [
        'lbdns: the pool "eu" is used by load balancer "www.example.com"; change or delete those first'
    ]
    assert 'has no "eu-9"' in refused("pool", "set", "eu", "origins.eu-9.weight=1")[0]
    for usage in (("pool", "create", "x"), ("lb", "create", "x.example.com"), ("pool", "set", "eu")):
        assert run(*usage).status == 2


def test_a_dry_run_shows_the_difference_and_changes_nothing(web: StoreServer) -> None:
    def shown() -> list[str]:
        return [done("pool", "list", "--json"), done("lb", "list", "--json")]

    before = shown()
    told = done("pool", "set", "eu", "origins.eu-2.weight=0.2", "--dry-run")
    assert "origins.eu-2.weight: 0.5 -> 0.2" in told and "nothing is changed" in told
    created = done("pool", "create", "asia", "--origin", "a=192.0.2.1", "--dry-run")
    assert "+ pool asia" in created and "{name: a, address: 192.0.2.1}" in created
    assert "- load balancer www.example.com" in done("lb", "delete", "www.example.com", "--dry-run")
    assert done("pool", "set", "eu", "enabled=true", "--dry-run") == "nothing would change\n"
    plan = run("pool", "set", "eu", "enabled=false", "--dry-run", "--json").json
    assert [one["action"] for one in plan["differences"]] == ["update"]
    assert 'unknown monitor "x"' in refused("pool", "set", "eu", "monitor=x", "--dry-run")[0]
    assert before == shown()


def test_a_dry_run_says_which_networks_would_change_pool(web: StoreServer, tmp_path: Path) -> None:
    networks = tmp_path / "networks"
    networks.write_text("198.51.100.0/25\n203.0.113.0/24\n2001:db8::/48\n")
    trying = ("lb", "set", "www.example.com", "--dry-run", "--networks", str(networks))
    told = done(*trying, "default_pools=us", "ttl=30")
    assert "ttl: 60 -> 30" in told and "nothing is changed" in told
    assert told.splitlines()[-2:] == [
        "www.example.com A: 3 of 3 networks would change pool",
        "  eu -> us       3  198.51.100.0/25, 203.0.113.0/24, 2001:db8::/48",
    ]
    body = yaml.safe_load(done("lb", "show", "www.example.com"))
    rule = {"condition": "ip.src in {198.51.100.0/24}", "overrides": {"pools": ["us"]}}
    body["load_balancers"][0]["rules"] = [rule]
    file = tmp_path / "ruled.yaml"
    file.write_text(yaml.safe_dump(body))
    found = run(*trying, "--from", str(file), "--json").json["what_if"]
    assert (found["changed"], found["stay"]) == (1, {"eu": 2})
    assert found["changes"] == [{"network": "198.51.100.0/25", "before": "eu", "after": "us"}]
    networks.write_text("198.51.100.0/33\n")
    assert f'{networks}:1: "198.51.100.0/33" is no network' in run(*trying, "ttl=30").err
    assert run("lb", "set", "www.example.com", "ttl=30", "--networks", str(networks)).status == 2


def test_objects_from_files(web: StoreServer, tmp_path: Path) -> None:
    file = tmp_path / "eu.yaml"
    file.write_text(done("pool", "show", "eu"))
    assert done("pool", "set", "eu", "--from", str(file)) == "pool eu: nothing changed\n"
    file.write_text(file.read_text().replace("weight: 0.5", "weight: 0.4"))
    done("pool", "set", "eu", "--from", str(file), "description=from a file")
    shown = yaml.safe_load(done("pool", "show", "eu"))["pools"]["eu"]
    assert (shown["origins"][1]["weight"], shown["description"]) == (0.4, "from a file")
    done("pool", "create", "copy", "--from", str(file), "--monitor", "web")
    assert yaml.safe_load(done("pool", "show", "copy"))["pools"]["copy"]["monitor"] == "web"
    bare = tmp_path / "lb.json"
    bare.write_text('{"default_pools": ["copy"], "fallback_pool": "eu"}')
    done("lb", "create", "api.example.com", "--from", str(bare))
    command = [sys.executable, "-m", "lbdns", "lb", "set", "api.example.com", "--from", "-", "ttl=7"]
    piped = subprocess.run(
        command, input=b"default_pools: [eu]\nfallback_pool: copy\n", capture_output=True, env=dict(os.environ)
    )
    assert piped.returncode == 0, piped.stderr
    assert b"ttl: 30 -> 7" in piped.stdout and b"fallback_pool: eu -> copy" in piped.stdout
    for text, told in (("a: [", "eu.yaml:"), ("- 1", "expected a mapping"), ("pools: {a: {}, b: {}}", "holds 2 pools")):
        file.write_text(text)
        assert told in refused("pool", "set", "eu", "--from", str(file))[0]
    assert "cannot read it" in refused("pool", "set", "eu", "--from", str(tmp_path / "none"))[0]


def test_balancers_of_one_name_are_told_apart_by_type(web: StoreServer) -> None:
    done("pool", "create", "mail", "--origin", "mx-1=mx1.example.net")
    done("lb", "create", "www.example.com", "--pools", "mail", "--type", "MX")
    assert "of types A, MX: say which by --type" in refused("lb", "show", "www.example.com")[0]
    assert "type: MX" in done("lb", "show", "www.example.com", "--type", "MX")
    done("lb", "delete", "www.example.com", "--type", "MX", "--yes")
    done("lb", "create", "bücher.example.com", "--pools", "eu")
    assert "name: xn--bcher-kva.example.com" in done("lb", "show", "BÜCHER.example.com.")
    done("lb", "create", "x.example.com", "--pools", "eu", "--account")
    assert "in the zone" not in done("lb", "show", "x.example.com")


def test_groups_of_monitors(web: StoreServer) -> None:
    done("monitor", "create", "login", "--path", "/login", "description=\x1b[2Jgone")
    assert "\\x1b[2Jgone" in done("monitor", "list")
    members = ("--member", "web", "--member", "login", "members.login.monitoring_only=true")
    done("monitor", "group", "create", "app", *members)
    assert "web, login" in done("monitor", "group", "list")
    assert yaml.safe_load(done("monitor", "group", "show", "app"))["monitor_groups"]["app"] == {
        "members": [{"monitor": "web"}, {"monitor": "login", "monitoring_only": True}]
    }
    done("pool", "set", "us", "monitor=null", "monitor_group=app")
    assert "app" in done("pool", "list")


def test_nothing_is_deleted_unasked(web: StoreServer) -> None:
    assert "no terminal to ask at" in refused("lb", "delete", "www.example.com")[0]
    assert done("lb", "delete", "www.example.com", "--yes") == "load balancer www.example.com: deleted\n"
    assert web.addresses("www.example.com") == []


def test_a_token_is_printed_alone_and_once(web: StoreServer, tmp_path: Path) -> None:
    made = run("token", "create", "ci")
    assert made.status == 0 and len(made.out.strip()) == 43 and made.out.count("\n") == 1
    assert "token ci, scope write" in made.err
    remote = ("--api", web.api, "--token", made.out.strip())
    assert done("pool", "list", "--json", *remote) == done("pool", "list", "--json")
    file = tmp_path / "token"
    file.write_text(run("token", "create", "ro", "--scope", "read").out)
    assert (
        "needs a token of scope write"
        in refused("pool", "set", "eu", "enabled=false", "--api", web.api, "--token-file", str(file))[0]
    )
    scopes = ("--scope", "pools:read", "--scope", "zones:write:Example.com")
    made_of_two = run("token", "create", "two", *scopes)
    assert "token two, scopes pools:read, zones:write:example.com" in made_of_two.err
    assert 'did you mean "pools"' in refused("token", "create", "x", "--scope", "pool:read")[0]
    listed = done("token", "list")
    assert "zones:write:example.com" in listed
    assert "ci" in listed and "read" in listed and made.out.strip() not in listed
    assert 'there is a token "ci" already' in refused("token", "create", "ci")[0]
    assert "on the server's own machine" in refused("token", "list", *remote)[0]
    assert done("token", "revoke", "ci") == "token ci: revoked\n"
    assert refused("pool", "list", *remote) == [f"lbdns: {web.api}/: the token is not known there"]
    done("token", "revoke", "ro")
    run("token", "create", "ci/deploy")
    assert done("token", "revoke", "ci/deploy") == "token ci/deploy: revoked\n"


def test_the_shell_completes_names(web: StoreServer, tmp_path: Path) -> None:
    variables = {"_LBDNS_COMPLETE": "bash_complete", "COMP_WORDS": "lbdns pool show ", "COMP_CWORD": "3"}
    code = "from lbdns.cli.main import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, env={**os.environ, **variables})
    assert ended.stdout.decode().split() == ["plain,eu", "plain,us"]

    def completed(command: click.Command, incomplete: str, **options: object) -> list[str]:
        context = click.Context(command)
        context.params = options
        return [item.value for item in command.params[0].shell_complete(context, incomplete)]

    show = lb.commands["show"]
    assert completed(show, "", settings=web.settings_file) == ["www.example.com"]
    assert completed(show, "x", settings=web.settings_file) == []
    assert completed(show, "", state=tmp_path) == [] and not list(tmp_path.iterdir())
    assert completed(show, "", api="http://127.0.0.1:9", token="x") == []
    assert "_LBDNS_COMPLETE=bash_complete" in done("completion", "bash")
    assert "compdef" in done("completion", "zsh")
