"""What files say unchecked is what they say checked; what a check alone can tell is left to one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.config.loading import examine, examine_tree
from lbdns.config.unchecked_tree import unchecked_tree
from lbdns.manage.store.revisions.sent_tree import sent_tree
from lbdns.manage.store.revisions.wanted import Wanted, wanted_of

ROOT = Path(__file__).resolve().parents[2]
APEX = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "example.com.zone").write_text(APEX)
    (tmp_path / "a.yaml").write_text("pools:\n  eu: {origins: [{name: e, address: 192.0.2.1}]}\nmonitors:\n")
    return tmp_path


def wanted(tree: dict[str, object] | None) -> Wanted:
    assert tree is not None
    examined = examine_tree(tree, Path(), "body", knows_settings=False, signed=frozenset())
    assert examined.configuration is not None, examined.errors
    found = wanted_of(examined.configuration)
    for zone in found.zones:
        zone.records.sort(key=str)  # an export has them by owner
    return found


def test_a_server_reads_of_it_what_it_reads_of_the_checked_files(tmp_path: Path) -> None:
    for path in (ROOT / "zones").iterdir():
        if path.suffix in (".zone", ".yaml") and path.name != "lbdns.yaml":
            shutil.copy(path, tmp_path)
    configuration = examine(tmp_path, knows_settings=False).configuration
    assert configuration is not None and configuration.load_balancers and configuration.zones
    assert wanted(unchecked_tree(tmp_path)) == wanted(sent_tree(configuration))


def test_sections_of_several_files_are_put_together(directory: Path) -> None:
    balancer = "- {name: www.example.com, default_pools: [eu], fallback_pool: eu}"
    (directory / "b.yaml").write_text(f"load_balancers:\n  {balancer}\nmonitors: {{web: {{}}}}\n")
    (directory / "c.yaml").write_text(f"load_balancers:\n  {balancer.replace('www', 'api')}\npools:\n  us: 1\n")
    (directory / "d.yaml").write_text("# nothing yet\n")
    tree = unchecked_tree(directory)
    assert tree is not None and tree["zones"] == {"example.com": APEX}
    assert [one["name"] for one in tree["load_balancers"]] == ["www.example.com", "api.example.com"]
    assert list(tree["pools"]) == ["eu", "us"] and tree["monitors"] == {"web": {}}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda at: (at / "lbdns.yaml").write_text("pop: {code: FRA}\n"),
        lambda at: (at / "example.com.zone").unlink(),
        lambda at: (at / "b.yaml").write_text("pools: {eu: {}}\n"),
        lambda at: (at / "b.yaml").write_text("pools: []\n"),
        lambda at: (at / "b.yaml").write_text("pools: {us: {}, us: {}}\n"),
        lambda at: (at / "b.yaml").write_text("pools: {us\n"),
        lambda at: (at / "b.yaml").write_text("[]\n"),
        lambda at: (at / "b.yaml").write_text("zones: {example.org: ''}\n"),
        lambda at: (at / "b.yaml").write_text("lists: {office: [192.0.2.0/24]}\n"),
        lambda at: (at / "b.yaml").write_bytes(b"\xff"),
        lambda at: (at / "example.org.zone").write_text(f"{APEX}$Include more\n"),
        lambda at: (at / "example.org.zone").mkdir(),
    ],
)
def test_what_a_check_alone_can_tell_is_left_to_one(directory: Path, spoil: Callable[[Path], object]) -> None:
    assert unchecked_tree(directory) is not None
    spoil(directory)
    assert unchecked_tree(directory) is None


def test_a_directory_that_there_is_not_is_left_to_a_check(tmp_path: Path) -> None:
    assert unchecked_tree(tmp_path / "none") is None
