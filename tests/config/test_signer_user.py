"""`dnssec.user`: the signer is no user of its own, so that naming one is refused, never silently ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import examine, load

ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
OTHER = (
    'lbdns.yaml:2: dnssec.user: the signer cannot become "{signer}": it runs as the user of all processes, and '
    '"user" names {whole}; leave it out, or name the same user in both; whoever runs as that user can read the keys'
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "example.com.zone").write_text(ZONE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(whole: str, signer: str) -> list[str]:
    first = f'user: "{whole}"' if whole else "workers: 1"
    Path("lbdns.yaml").write_text(f'{first}\ndnssec: {{user: "{signer}"}}\n')
    return [str(problem) for problem in examine(Path()).errors]


@pytest.mark.parametrize(
    ("whole", "signer"),
    [
        ("47110:47110", "47111:47111"),
        ("47110:47110", "47111:47110"),
        ("47110:47110", "47110:47111"),
        ("47110:47110", "root"),
        ("root", "47111:47111"),
        ("", "47111:47111"),
        ("", "root"),
    ],
)
@pytest.mark.usefixtures("directory")
def test_who_is_not_the_user_of_the_server_is_refused(whole: str, signer: str) -> None:
    named = f'"{whole}"' if whole else "nobody"
    assert problems(whole, signer) == [OTHER.format(signer=signer, whole=named)]
    with pytest.raises(LbdnsError):
        load(Path())


@pytest.mark.parametrize(("whole", "signer"), [("47110:47110", "47110:47110"), ("root", "0"), ("0:0", "root:root")])
@pytest.mark.usefixtures("directory")
def test_the_same_user_by_name_or_number_is_taken(whole: str, signer: str) -> None:
    assert problems(whole, signer) == []


@pytest.mark.usefixtures("directory")
def test_a_user_that_is_none_is_told_once_in_each_place() -> None:
    none = 'there is no user "lbdns-none" on this machine; `useradd --system --no-create-home lbdns-none`'
    assert problems("", "lbdns-none") == [f"lbdns.yaml:2: dnssec.user: {none} makes it"]
    assert problems("lbdns-none", "lbdns-none") == [f"lbdns.yaml:1: user: {none} makes it"]
    assert problems("lbdns-none", "47110:47110") == [f"lbdns.yaml:1: user: {none} makes it"]
    [told] = problems("47110:47110", "47111")
    assert told.startswith("lbdns.yaml:2: dnssec.user: the user 47111 has no entry, so that its group is not known")
