"""Every bad configuration has a directory under bad/ with its exact messages; what only warns is under warned/."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.base.errors import ConfigError
from lbdns.base.words import STEERING_POLICIES
from lbdns.config.loading import examine, load

HERE = Path(__file__).parent
BAD = sorted(path.name for path in (HERE / "bad").iterdir())
WARNED = sorted(path.name for path in (HERE / "warned").iterdir())


def expected() -> str:
    """Return what expected.txt holds, the steering policies that there are put in."""
    policies = ", ".join(f'"{name}"' for name in (*STEERING_POLICIES, ""))
    return Path("expected.txt").read_text(encoding="utf-8").replace("$STEERING_POLICIES", policies)


def messages() -> str:
    """Return what is said about the current directory, as expected.txt holds it."""
    examined = examine(Path())
    lines = [*map(str, examined.errors), *(f"warning: {warning}" for warning in examined.warnings)]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("case", BAD)
def test_bad(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "bad" / case)
    assert messages() == expected()
    with pytest.raises(ConfigError) as caught:
        load(Path())
    assert caught.value.problems == examine(Path()).errors


@pytest.mark.parametrize("case", WARNED)
def test_warned(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "warned" / case)
    assert messages() == expected()
    assert load(Path()).warnings == examine(Path()).warnings


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert [str(problem) for problem in examine(tmp_path / "missing").errors] == [
        f"{tmp_path}/missing: no such directory; expected one that holds lbdns.yaml, *.zone and *.yaml files"
    ]
    assert [str(problem) for problem in examine(tmp_path / "file").errors] == [
        f"{tmp_path}/file: this is a file; give the directory that holds it"
    ]
    assert [str(problem) for problem in examine(tmp_path / "empty").errors] == [
        f"{tmp_path}/empty: no zone file, and the directory is empty; "
        "put one here whose name is the zone's, such as example.com.zone"
    ]


def test_a_directory_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert [str(problem) for problem in examine(tmp_path).errors] == [
        f"{tmp_path}: the directory cannot be read: Permission denied"
    ]


def test_only_so_many_names_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "bad" / "references")
    monkeypatch.setattr("lbdns.config.checks.references.MAX_COMPARED", 3)
    hints = [problem.message.partition("; ")[2] for problem in examine(Path()).errors if "pool" in problem.message]
    assert hints[0] == 'did you mean "us-east"?'
    assert set(hints[1:]) == {"no pool of a similar name is declared"}


def test_a_zone_in_two_files(tmp_path: Path) -> None:
    text = "$TTL 300\n@ SOA ns.example.net. admin 1 2 3 4 5\n@ NS ns.example.net.\n"
    (tmp_path / "example.com.zone").write_text(text)
    (tmp_path / "Example.com.zone").write_text(text)
    assert [str(problem) for problem in examine(tmp_path).errors] == [
        f'{tmp_path}/example.com.zone: the zone "example.com" is read from {tmp_path}/Example.com.zone already; '
        "keep one of the two"
    ]


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example.com.zone").write_text("")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert [str(problem) for problem in examine(tmp_path).errors] == [
        f"{tmp_path}/example.com.zone: the file cannot be read: Permission denied"
    ]


def test_a_file_that_is_too_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example.com.zone").write_text("; more than a little\n")
    monkeypatch.setattr("lbdns.config.directory.MAX_FILE_OCTETS", 10)
    assert "the file cannot be read: it is larger than" in str(examine(tmp_path).errors[0])


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".swap.zone").write_text("x")
    (tmp_path / ".swap.yaml").write_text("x: [")
    assert [problem.file for problem in examine(tmp_path).errors] == [str(tmp_path)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (r"TYPE65500 \# 4 010203", "not data of type TYPE65500: "),
        (r"A \# 3 C00002", "not data of type A: "),
        ("TLSA 3 1 1 zz", "not data of type TLSA: "),
        ("TYPE65500 text", "not data of type TYPE65500: "),
        ("SSHFP 1 2 3", "not data of type SSHFP: "),
        ("HTTPS one . alpn=h2", "not data of type HTTPS: "),
        ("DS 1 8 2", "not data of type DS: "),
        ("NSEC", "the data is missing; expected data of type NSEC"),
    ],
)
def test_types_that_the_library_judges(record: str, reason: str, tmp_path: Path) -> None:
    """Its reason may change from release to release; that there is one, with its line, may not."""
    (tmp_path / "example.com.zone").write_text(f"$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS ns.example.net.\nx {record}\n")
    (problem,) = examine(tmp_path).errors
    assert problem.line == 4
    assert problem.path == f"x.example.com {record.split()[0]}"
    assert reason in problem.message
