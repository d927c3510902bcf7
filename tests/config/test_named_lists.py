"""Named lists: in lbdns.yaml, in other files of the directory, and in files with a network a line."""

from __future__ import annotations

import random
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError
from lbdns.config.files_read import FilesRead
from lbdns.config.loading import examine, load
from lbdns.config.settings_loading import load_settings
from lbdns.model import bounds
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.named_lists import read_networks
from lbdns.model.settings import Settings

ZONE = "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "example.com.zone").write_text(f"$TTL 300\n{ZONE}")
    return tmp_path


def nets(*texts: str) -> frozenset[Any]:
    return frozenset(map(ip_network, texts))


def errors(directory: Path) -> list[str]:
    """Return the errors of a directory, its own path left out."""
    return [str(error).replace(f"{directory}/", "") for error in examine(directory).errors]


def test_lists_of_lbdns_yaml_of_other_files_and_of_files_of_their_own(directory: Path) -> None:
    (directory / "lists").mkdir()
    (directory / "lists/home.txt").write_text("# at home\n198.51.100.0/24   # all\n\n198.51.100.7\r\n2001:DB8::/32\n")
    (directory / "lbdns.yaml").write_text(
        "lists:\n  office: [192.0.2.0/25, 192.0.2.1, 192.0.2.0/25]\n  home: lists/home.txt\n"
    )
    (directory / "more.yaml").write_text("lists: {shop: [203.0.113.9], kiosk: lists/home.txt}\n")
    texts: dict[str, str] = {}
    files = FilesRead()
    found = examine(directory, files, texts=texts).loaded().configuration.settings
    assert found.networks == {
        "office": nets("192.0.2.0/25"),
        "home": nets("198.51.100.0/24", "2001:db8::/32"),
        "shop": nets("203.0.113.9/32"),
        "kiosk": nets("198.51.100.0/24", "2001:db8::/32"),
    }
    assert directory / "lists/home.txt" in files.paths  # a change of it is a change of the configuration
    assert sorted(texts) == ["example.com.zone", "lbdns.yaml", "lists/home.txt", "more.yaml"]


def test_every_mistake_has_its_file_and_line(directory: Path) -> None:
    (directory / "home.txt").write_text("# at home\n192.0.2.1/24\n\n192.0.2.0/24\nnowhere\n::1/64\n")
    (directory / "lbdns.yaml").write_text(
        'lists:\n  a b: [192.0.2.0/24]\n  home: home.txt\n  gone: gone.txt\n  n: 7\n  x: ["192.0.2.0/33"]\n'
    )
    (directory / "more.yaml").write_text("lists:\n  home: [192.0.2.0/24]\n  shop:\n  - 192.0.2.0/24\n  - [1]\n")
    assert errors(directory) == [
        "gone.txt: the file cannot be read: there is no such file",
        'home.txt:2: "192.0.2.1/24" has bits behind its prefix; the network that it is in is 192.0.2.0/24',
        'home.txt:5: "nowhere" is no network; expected one such as 192.0.2.0/24 or 2001:db8::/32',
        'home.txt:6: "::1/64" has bits behind its prefix; the network that it is in is ::/64',
        'lbdns.yaml:2: lists.[a b]: "a b" may hold letters, digits, "-" and "_" only'.replace(".[a b]", "[a b]"),
        "lbdns.yaml:5: lists.n: 7 is no list; expected networks such as 192.0.2.0/24, or a file that has one a line",
        'lbdns.yaml:6: lists.x[0]: "192.0.2.0/33" is no network; expected one such as 192.0.2.0/24 or 2001:db8::/32',
        "more.yaml:2: lists.home: a list of this name is declared already; keep one",
        "more.yaml:5: lists.shop[1]: a list is no network; "
        "expected one such as 192.0.2.0/24 or 2001:db8::/32, in quotes",
    ]


def test_bounds(directory: Path) -> None:
    many = [
        f"{n >> 16}.{n >> 8 & 255}.{n & 255}.0/24" for n in range(1 << 16, (1 << 16) + bounds.MAX_LISTED_NETWORKS + 1)
    ]
    (directory / "lbdns.yaml").write_text("lists: {all: all.txt}\n")
    (directory / "all.txt").write_text("\n".join(many[1:]))
    assert len(load(directory).configuration.settings.networks["all"]) == bounds.MAX_LISTED_NETWORKS
    (directory / "all.txt").write_text("\n".join(many))
    assert errors(directory) == ["all.txt: 100,001 networks; expected at most 100,000"]
    (directory / "all.txt").write_text("x\n" * 200)
    assert len(errors(directory)) == 101 and "and 100 more lines" in errors(directory)[-1]


def test_networks_are_merged_as_ipaddress_would_say() -> None:
    """Whatever the list: an address is in it exactly where one of its networks has it, and none lies in another."""
    draw = random.Random(10)
    for _ in range(50):
        texts = [f"10.0.{draw.randrange(4)}.0/{draw.choice((22, 23, 24))}" for _ in range(draw.randrange(6))]
        texts = [str(ip_network(text, strict=False)) for text in texts]
        texts += [f"10.0.{draw.randrange(4)}.{draw.randrange(4)}" for _ in range(draw.randrange(6))]
        found, mistakes = read_networks(texts)
        assert mistakes == []
        for last in range(0, 1024, 3):
            address = ip_network("10.0.0.0/22")[last]
            inside = [one for one in found if address in one]
            assert len(inside) == any(address in ip_network(text) for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.0/24 ",
        "192.0.2.0/-1",
        "192.0.2.0/",
        "192.0.2.0/0024",
        "192.0.2",
        "::/129",
        "01.2.3.4",
        "fe80::1%lo",
        "",
    ],
)
def test_what_is_no_network(text: str) -> None:
    found, mistakes = read_networks([text])
    assert not found and "no network" in mistakes[0][1]


def test_a_configuration_is_kept_with_its_lists(directory: Path) -> None:
    (directory / "lbdns.yaml").write_text("lists: {all: all.txt}\n")
    (directory / "all.txt").write_text("192.0.2.0/24\n2001:db8::/32\n")
    configuration = load(directory).configuration
    (directory / "all.txt").unlink()
    assert (
        decode_configuration(encode_configuration(configuration)).settings.networks == configuration.settings.networks
    )


def test_kept_texts_are_read_with_the_lists_among_them(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (directory / "lbdns.yaml").write_text("lists: {all: all.txt, elsewhere: ../elsewhere.txt}\n")
    (directory / "all.txt").write_text("192.0.2.0/24\n")
    (directory.parent / "elsewhere.txt").write_text("198.51.100.0/24\n")
    texts = load(directory, FilesRead()).texts(None)
    (directory / "all.txt").write_text("broken\n")
    kept = tmp_path_factory.mktemp("kept")
    for name, text in texts.items():
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_text(text)
    (directory.parent / "elsewhere.txt").unlink()
    assert load(kept, base=directory).configuration.settings.networks == {
        "all": nets("192.0.2.0/24"),
        "elsewhere": nets("198.51.100.0/24"),
    }


def test_settings_alone_have_their_lists(directory: Path) -> None:
    """As a server over a store reads them."""
    (directory / "lbdns.yaml").write_text("lists: {all: all.txt}\n")
    (directory / "all.txt").write_text("192.0.2.0/24\n")
    files = FilesRead()
    assert load_settings(directory, files).networks == {"all": nets("192.0.2.0/24")}
    assert directory / "all.txt" in files.paths
    (directory / "all.txt").write_text("x\n")
    with pytest.raises(ConfigError, match="no network"):
        load_settings(directory)


def test_no_lists_by_default() -> None:
    assert Settings().networks == {}
