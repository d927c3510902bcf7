"""Names that no code reads: found by vulture, less what is read where vulture cannot see it.

In `lbdns` and `scripts` a name that only tests read is dead as well: tests are no reason to keep code. In `tests`
whatever reads a name counts. Exit status 1 where a name is dead, or where an exception below is one no longer.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from pathlib import Path

import pydantic
from vulture import Vulture

ROOT = Path(__file__).resolve().parent.parent.parent

# Frameworks call what stands below these decorators.
DECORATORS = ["@*.command", "@*.group", "@router.*", "@*_validator", "@pytest.*"]

# Frameworks call or read these by name: methods that override one of theirs, attributes that they look at.
OVERRIDES = {
    "click": ["list_commands", "get_command", "format_commands"],
    "httpx": ["handle_request"],
    "dnstap-pb": [
        *("query_message", "query_address", "query_port", "query_time_sec", "query_time_nsec", "query_zone"),
        *("response_message", "response_address", "response_port", "response_time_sec", "response_time_nsec"),
        *("socket_family", "socket_protocol"),
    ],
    "graphql-core": ["enter_variable", "enter_variable_definition", "enter_fragment_spread"],
    "uvicorn": ["send_400_response", "lifespan"],
    "asyncio": ["eof_received", "datagram_received", "error_received", "get_buffer", "buffer_updated", "size_hint"],
    "http.server, socketserver": [
        *(
            "do_GET",
            "do_HEAD",
            "do_POST",
            "log_message",
            "handle_error",
            "daemon_threads",
            "allow_reuse_port",
            "address_family",
        ),
        *("server_port", "args", "request_queue_size", "service_actions", "process_request_thread"),
    ],
    "html.parser": ["handle_starttag"],
    "logging": ["raiseExceptions"],
    "starlette": ["spool_max_size"],
    "sqlite3": ["text_factory"],
    "sys": ["unraisablehook"],
    "dnspython": ["nameservers", "lifetime", "make_socket", "recvfrom"],
    "icmplib": ["_create_socket"],
    "pydantic": ["model_config"],
    "aiosmtpd": ["handle_DATA"],
    "numpy": ["writeable"],
    "libcloud": ["CA_CERTS_PATH"],
    "enum": ["_value_"],
    "lark": ["always_accept", "strictly_alike", "in_list", "negated", "all_of"],
    "re2": ["encoding", "log_errors", "never_capture", "max_mem"],
    "pytest": ["pytest_*", "pytestmark", "starts_processes"],
}

# Read by nobody here, and kept all the same: name -> why.
KEPT = {
    "set_endpoint": "the pytest plugin's, for its users",
    "connection_count": "what a test of the bounds must see from outside",
    "user_us": "read by its name as a median (scripts/bench.d/measure.py)",
}


def names_of_models() -> set[str]:
    """Return the fields of every pydantic model, tests' too: files, the API and the store read them by name."""
    import lbdns

    for module in pkgutil.walk_packages(lbdns.__path__, "lbdns."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[str] = set()
    names = set()
    classes: list[type[pydantic.BaseModel]] = [pydantic.BaseModel]
    while classes:
        model = classes.pop()
        classes += model.__subclasses__()
        names.add(model.__name__)
        if model.__module__.startswith("lbdns."):
            found |= set(model.model_fields)
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id in names for b in node.bases):
                fields = (item.target for item in node.body if isinstance(item, ast.AnnAssign))
                found |= {field.id for field in fields if isinstance(field, ast.Name)}
    return found


def names_of_columns() -> set[str]:
    """Return the columns that anything takes by their name, as a text."""
    from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS, SIGNATURE_COLUMNS

    texts = "".join(path.read_text() for path in ROOT.rglob("lbdns/**/*.py"))
    health, signatures = (column.name for column in HEALTH_COLUMNS), (column.name for column in SIGNATURE_COLUMNS)
    return {name for name in (*COLUMNS, *health, *signatures) if f'"{name}"' in texts}


def names_in_cython() -> set[str]:
    """Return every word of the .pyx sources, which vulture does not read."""
    return {word for path in ROOT.rglob("lbdns/**/*.pyx") for word in re.findall(r"\w+", path.read_text())}


def names_in_templates() -> set[str]:
    """Return every word of the dashboard's templates that is of Jinja's, not of HTML's."""
    texts = (path.read_text() for path in ROOT.rglob("lbdns/**/templates/**/*.html"))
    said = (part for text in texts for part in re.findall(r"\{[{%](.*?)[%}]\}", text, re.DOTALL))
    return {word for part in said for word in re.findall(r"\w+", part)}


def dead(folders: list[str], known: set[str]) -> list[tuple[Path, int, str, str]]:
    """Return (file, line, name, kind) of each name in these folders that nothing in them and none of `known` reads."""
    overrides = [name for names in OVERRIDES.values() for name in names]
    reader = Vulture(ignore_names=overrides, ignore_decorators=DECORATORS)
    reader.scavenge([str(ROOT / folder) for folder in folders])
    for name in known:
        reader.used_names.add(name)
    return [
        (Path(item.filename).relative_to(ROOT), item.first_lineno, str(item.name), str(item.typ))
        for item in reader.get_unused_code(min_confidence=60)
    ]


def main() -> int:
    """Print what is dead."""
    known = names_of_models() | names_of_columns() | names_in_cython() | names_in_templates()
    code = dead(["lbdns", "scripts", "setup.py"], known)
    tests = [one for one in dead(["lbdns", "scripts", "setup.py", "tests"], known) if one[0].parts[0] == "tests"]
    found = [one for one in (*code, *tests) if one[2] not in KEPT]
    for path, line, name, kind in found:
        print(f"{path}:{line}: {kind} {name!r} is read by no code")
    stale = set(KEPT) - {name for _, _, name, _ in (*code, *tests)}
    for name in sorted(stale):
        print(f"{Path(__file__).relative_to(ROOT)}: {name!r} is kept as an exception and needs none")
    return 1 if found or stale else 0


if __name__ == "__main__":
    sys.exit(main())
