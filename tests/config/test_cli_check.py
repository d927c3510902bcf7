"""`lbdns check`: exit status, streams, the summary line, colours, repeated warnings."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lbdns.cli.commands.check_command import check

HERE = Path(__file__).parent
ZONE = "$TTL 300\n@ SOA ns.example.net. admin 1 2 3 4 5\n@ NS ns.example.net.\n"


def run(*arguments: str, color: bool = False) -> Result:
    """Run the command."""
    return CliRunner().invoke(check, list(arguments), color=color)


def test_a_good_directory() -> None:
    result = run(str(HERE / "good" / "everything"))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout == (
        "1 zone, 27 records, 5 load balancers, 4 pools, 7 endpoints, 7 monitors, clients located by coordinates "
        "(city.mmdb): no problems, no warnings\n"
    )


def test_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "warned" / "hidden-records")
    result = run(".")
    assert result.exit_code == 0
    assert result.stdout.endswith(": no problems, 5 warnings\n")
    assert result.stderr.splitlines()[0] == (
        "objects.yaml:7: warning: load_balancers[www.example.com].name: hides the zone's own records of this name: "
        "A (example.com.zone:5), AAAA (example.com.zone:6)"
    )


def test_problems_and_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "bad" / "references-to-a-refused-pool")
    result = run(".")
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == 'a.yaml:2: pools.eu.monitor: unknown monitor "wbe"; no monitor is declared'
    assert lines[3].startswith("a.yaml:7: warning: load_balancers[www.example.com].region_pools: ")
    assert lines[-1] == "3 problems; nothing of this would be served"


def test_a_missing_directory(tmp_path: Path) -> None:
    result = run(str(tmp_path / "gone"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path}/gone: no such directory; expected one that holds ")
    assert run().exit_code == 2


def test_repeated_warnings_are_counted(tmp_path: Path) -> None:
    (tmp_path / "example.com.zone").write_text(ZONE)
    pool = "pools: {eu: {origins: [{name: a, address: 192.0.2.1}]}}\nload_balancers:\n"
    balancer = "  - {{name: a{}.example.com, default_pools: [eu], fallback_pool: eu, proxied: true}}\n"
    (tmp_path / "a.yaml").write_text(pool + "".join(balancer.format(number) for number in range(8)))
    result = run(str(tmp_path))
    assert result.stdout.endswith("8 load balancers, 1 pool, 1 endpoint, 0 monitors: no problems, 8 warnings\n")
    lines = result.stderr.splitlines()
    assert len(lines) == 6
    assert lines[5] == "3 more warnings: lbdns answers queries and carries no traffic, so this does not act"


def test_colours_are_for_terminals() -> None:
    case = str(HERE / "bad" / "yaml-tab")
    assert "\x1b[" not in run(case).stderr
    assert "\x1b[31m" in run(case, color=True).stderr
    assert "\x1b[33m" in run(str(HERE / "warned" / "hidden-records"), color=True).stderr


@pytest.mark.parametrize(
    ("records", "is_warned"),
    [
        ("@ NS ns1\nns1 A 192.0.2.53\n", True),
        ("@ NS ns1\n@ NS ns2\nns1 A 192.0.2.53\nns2 A 192.0.2.53\n", True),
        ("@ NS NS1\nns1 A 192.0.2.53\nns1 AAAA 2001:db8::53\n", False),
        ("@ NS ns1\n@ NS ns2\nns1 A 192.0.2.53\nns2 A 192.0.2.54\n", False),
        ("@ NS ns1\n@ NS ns.example.net.\nns1 A 192.0.2.53\n", False),
        ("@ NS ns1\n*  A 192.0.2.53\n", False),
    ],
)
def test_one_name_server_address_is_warned_of(tmp_path: Path, records: str, is_warned: bool) -> None:
    (tmp_path / "example.com.zone").write_text(f"$TTL 300\n@ SOA ns1 admin 1 2 3 4 5\n{records}")
    result = run(str(tmp_path))
    assert result.exit_code == 0
    told = [line for line in result.stderr.splitlines() if "one name server address" in line]
    if is_warned:
        assert told == [
            f"{tmp_path}/example.com.zone:3: warning: example.com NS: the zone has one name server address, that of "
            '"ns1.example.com"; where one datagram to it is lost, resolvers fail for up to a minute: give it a '
            "second one"
        ]
    else:
        assert told == [] and result.stdout.endswith("no warnings\n")


def test_a_name_server_that_is_a_load_balancer_is_not_one_address(tmp_path: Path) -> None:
    (tmp_path / "example.com.zone").write_text("$TTL 300\n@ SOA ns1 admin 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n")
    (tmp_path / "objects.yaml").write_text(
        "pools: {p: {origins: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]}}\n"
        "load_balancers: [{name: ns1.example.com, default_pools: [p], fallback_pool: p}]\n"
    )
    assert "one name server address" not in run(str(tmp_path)).stderr


def test_hostnames_that_lead_nowhere_are_warned_about(tmp_path: Path) -> None:
    """Zones here, aliases and load balancers are followed; what only MX gives back, or a CNAME, needs no address."""
    (tmp_path / "lbdns.yaml").write_text('resolvers: ["127.0.0.1:9"]\n')
    (tmp_path / "example.com.zone").write_text(ZONE + "app A 192.0.2.7\nto-app CNAME app\n")
    (tmp_path / "objects.yaml").write_text(
        """pools:
  found: {origins: [{name: a, address: to-app.example.com}, {name: b, address: inner.example.com}]}
  deep: {origins: [{name: a, address: to-app.example.com}]}
  some: {origins: [{name: a, address: 192.0.2.1}, {name: b, address: lost.example.com}]}
  none: {origins: [{name: a, address: lost.example.com}]}
  round: {origins: [{name: a, address: round.example.com}]}
  mail: {origins: [{name: a, address: lost.example.com}]}
  alias: {origins: [{name: a, address: lost.example.com, flatten_cname: false}]}
load_balancers:
  - {name: www.example.com, default_pools: [found, some, none, alias], fallback_pool: none}
  - {name: inner.example.com, default_pools: [deep], fallback_pool: deep}
  - {name: round.example.com, default_pools: [round], fallback_pool: round}
  - {name: mx.example.com, type: MX, default_pools: [mail], fallback_pool: mail}
"""
    )
    result = run(str(tmp_path))
    assert result.exit_code == 0
    denied = (
        "lost.example.com does not resolve (the zones served here have no name lost.example.com); answers leave it out"
    )
    loop = (
        "does not resolve (it leads back to itself by load balancers here: round.example.com -> round.example.com); "
        "answers leave it out"
    )
    nobody = "no origin resolves, so the pool is passed over until one does"
    assert [line.partition("objects.yaml:")[2] for line in result.stderr.splitlines()] == [
        f"4: warning: pools.some.origins[1].address: {denied}",
        f"5: warning: pools.none.origins: {nobody}",
        f"5: warning: pools.none.origins[0].address: {denied}",
        f"6: warning: pools.round.origins: {nobody}",
        f"6: warning: pools.round.origins[0].address: round.example.com {loop}",
    ]


def test_names_elsewhere_are_asked_of_the_resolvers_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbdns.manage.name_lookups.LOOKUPS_S", 0.2)
    (tmp_path / "lbdns.yaml").write_text('resolvers: ["127.0.0.1:9"]\n')
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "objects.yaml").write_text(
        """pools: {p: {origins: [{name: a, address: app.example.net}]}}
load_balancers: [{name: www.example.com, default_pools: [p], fallback_pool: p}]
"""
    )
    result = run(str(tmp_path))
    assert result.exit_code == 0 and "app.example.net does not resolve (no answer within" in result.stderr
