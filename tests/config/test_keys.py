"""TSIG keys in lbdns.yaml: secrets from files, kept and compared, and never shown."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from click.testing import CliRunner

from lbdns.base.errors import ConfigError
from lbdns.cli.commands.check_command import check
from lbdns.config.files_read import FilesRead
from lbdns.config.loading import examine, load
from lbdns.config.readable_settings import readable_settings
from lbdns.config.settings_loading import load_settings
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.settings import Settings
from lbdns.model.tsig_key import TsigKey

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
SECRET = b64encode(b"a secret of thirty-two octets...").decode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "secret.txt").write_text(f"\n  {SECRET[:20]}\n{SECRET[20:]} \n")
    (tmp_path / "secret.txt").chmod(0o640)
    (tmp_path / "lbdns.yaml").write_text(
        f"keys:\n- {{name: NS2.Example.com., algorithm: HMAC-SHA512, secret: {SECRET}}}\n"
        "- {name: ns3, secret_file: secret.txt}\n"
    )
    return tmp_path


def problems(directory: Path) -> list[str]:
    """Return the errors and warnings of a directory, its own path left out."""
    found = examine(directory)
    return [str(one).replace(f"{directory}/", "") for one in (*found.errors, *found.warnings)]


def test_secrets_come_from_files_and_are_kept(directory: Path) -> None:
    files = FilesRead()
    loaded = load(directory, files)
    first, second = loaded.configuration.settings.keys
    assert (first.name, first.algorithm, first.secret) == ("ns2.example.com", "hmac-sha512", SECRET)
    assert (second.name, second.algorithm, second.secret) == ("ns3", "hmac-sha256", SECRET)
    assert second.octets == b"a secret of thirty-two octets..."
    assert directory / "secret.txt" in files.paths  # a change of it is a change of the configuration
    assert sorted(loaded.texts(None)) == ["example.com.zone", "lbdns.yaml", "secret.txt"]
    assert decode_configuration(encode_configuration(loaded.configuration)) == loaded.configuration
    assert load_settings(directory).keys == (first, second)
    assert readable_settings(directory).keys[1] == TsigKey(name="ns3", secret_file=directory / "secret.txt")
    assert problems(directory) == []


def test_what_is_kept_stands_in_for_files_that_are_gone(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    loaded = load(directory, FilesRead())
    kept = tmp_path_factory.mktemp("kept")
    for name, text in loaded.texts(None).items():
        (kept / name).write_text(text)
    (directory / "secret.txt").unlink()
    assert load(kept, base=directory).configuration.settings.keys == loaded.configuration.settings.keys


def test_secrets_are_in_no_repr_and_no_message(directory: Path) -> None:
    settings = load_settings(directory)
    assert SECRET not in repr(settings) and SECRET not in f"{settings.keys[0]}"
    bad = f"keys:\n- {{name: a, secret: {SECRET}x}}\n- {{name: b, secret: [{SECRET}]}}\n"
    bad += f"- {{name: c, secret_fil: {SECRET}}}\n"
    for text in (
        bad,
        f'{bad}- {{name: d, secret: "{SECRET}}}\n',
        f"keys: {SECRET}\n",
        f"keys: {{secret: {SECRET}}}\n",
        f"keys: [{SECRET}]\n",
        f"keys: [{{name: a, algorithm: {SECRET}}}]\n",
    ):
        (directory / "lbdns.yaml").write_text(text)
        (directory / "secret.txt").write_text(f"{SECRET}?")
        done = CliRunner().invoke(check, [str(directory)])
        assert done.exit_code == 1 and SECRET[:8] not in done.output, done.output


def test_files_with_mistakes_and_secrets_that_others_may_know(directory: Path) -> None:
    path = directory / "secret.txt"
    path.chmod(0o644)
    path.write_text(f"secret {SECRET};")
    assert problems(directory) == [
        "secret.txt: the secret is not base64; tsig-keygen prints one that is",
        "secret.txt: everybody on this machine can read this secret; take that right from others (chmod o-r)",
    ]
    path.chmod(0o600)
    path.write_text("")
    assert problems(directory) == ["secret.txt: the secret is empty; tsig-keygen prints one"]
    path.write_text(b64encode(b"short").decode())
    assert problems(directory) == [
        "lbdns.yaml:3: keys[1]: the secret of ns3 has 5 octets; have 16 at least, as tsig-keygen makes them"
    ]
    (directory / "lbdns.yaml").write_text(
        "keys:\n- {name: none}\n- {name: NS4., secret: c2hvcnQ=}\n- {name: ns5, secret: c2hvcnQ=}\n"
    )
    assert [one for one in problems(directory) if "octets" in one] == [
        f"lbdns.yaml:{line}: keys[{line - 2}]: the secret of {name} has 5 octets; have 16 at least, as tsig-keygen "
        "makes them"
        for line, name in ((3, "ns4"), (4, "ns5"))
    ]
    (directory / "lbdns.yaml").write_text("keys: [{name: ns3, secret_file: secret.txt}]\n")
    path.unlink()
    with pytest.raises(ConfigError, match=r"secret\.txt: the file cannot be read: there is no such file"):
        load_settings(directory)


def test_a_bound_of_keys() -> None:
    keys = [{"name": f"k{number}", "secret": SECRET} for number in range(256)]
    assert len(Settings.model_validate({"keys": keys}).keys) == 256
