"""What the signer can be asked for: its verbs, what each takes, and what is wrong with a request.

    verb      what it takes beside `zone`       what it gives
    status    (`zone` may be left out)          how the zone stands; those that are signed
    enable    algorithm, keys                   how the zone stands then
    disable
    roll      role, algorithm, emergency
    ds_seen
    import    directory
    export    directory, or nothing             the files

Nothing for `algorithm` or `keys` is what the settings say; with `emergency` the old key goes as soon as that is safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lbdns.dns.codes import CREATED_ALGORITHMS
from lbdns.dnssec.zone_status import KeyRole

CSK: Final = "csk"
SPLIT: Final = "split"
KEY_FORMS: Final = (CSK, SPLIT)
"""One key for everything, or a KSK that signs keys and a ZSK that signs the rest."""
TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "status": (),
    "enable": ("algorithm", "keys"),
    "disable": (),
    "roll": ("role", "algorithm", "emergency"),
    "ds_seen": (),
    "import": ("directory",),
    "export": ("directory",),
}
ANY_ZONE: Final = "import"
"""Of a zone that is not served yet too: with the records of another signer it is not, until its keys are here."""
DIRECTORY_CHARS_MAX: Final = 4096
_VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "algorithm": (None, *CREATED_ALGORITHMS),
    "keys": (None, *KEY_FORMS),
    "role": tuple(one.value for one in KeyRole),
}


def wrong_arguments(verb: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the arguments of a verb: of which, and what."""
    for name in TAKES[verb]:
        value = arguments.get(name)
        if name in _VALUES and (isinstance(value, bool | float) or value not in _VALUES[name]):
            known = ", ".join(str(one) for one in _VALUES[name] if one is not None)
            yield name, f"{name}: expected one of {known}"
        elif name == "emergency" and not isinstance(value, bool | None):
            yield name, f"{name}: expected true or false"
        elif name == "directory" and not _is_directory(value) and not (value is None and verb == "export"):
            yield name, f"{name}: expected an absolute path"


def _is_directory(value: Any) -> bool:
    is_path = isinstance(value, str) and value.startswith("/") and "\0" not in value
    return is_path and len(value) <= DIRECTORY_CHARS_MAX
