"""The references in docs/ that are written from the code: settings from the models, metrics from a scrape, and licences
from what is installed.

A field's meaning is the docstring below it in its model; type, bounds and default are what pydantic says of it. Metrics
are those that the collector yields for a small configuration, published in a folder of its own and served by nobody.
"""

from __future__ import annotations

import inspect
import json
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel

from lbdns.base.probe_types import PROBE_TYPES, acts
from lbdns.config.loading import parse
from lbdns.expressions.field_table import DNS_FIELDS, FIELDS
from lbdns.expressions.function_table import FUNCTIONS
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.alerting import NotificationPolicy, PagerDutyService, Silence, WebhookDestination
from lbdns.model.balancer import LoadBalancer
from lbdns.model.field_meanings import field_meanings
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.pool import Pool
from lbdns.model.secondary_dns import Acl, IncomingTransfer, OutgoingTransfer, Peer, StoredKey
from lbdns.model.settings import Settings
from lbdns.model.virtual_network import NetworkRoute, VirtualNetwork
from lbdns.publish.publisher import Publisher
from lbdns.telemetry.metrics import ServerCollector
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.tally import Tally

ROOT = Path(__file__).resolve().parent.parent.parent
WRITTEN = "<!-- Written by scripts/write-docs from the code; what is changed here is lost. -->"

CHAPTERS = (
    (
        Settings,
        "The server: lbdns.yaml",
        "Every key may be left out. Paths are relative to the file. A running server takes over what is changed.",
    ),
    (
        VirtualNetwork,
        "Virtual networks: `virtual_networks`",
        "A mapping of names to networks, in any `.yaml` file of the directory, lbdns.yaml among them.",
    ),
    (NetworkRoute, "Routes: `routes`", "A list, in the same files."),
    (Monitor, "Monitors: `monitors`", "A mapping of names to monitors, in any `.yaml` file of the directory."),
    (MonitorGroup, "Monitor groups: `monitor_groups`", "A mapping of names to groups."),
    (Pool, "Pools: `pools`", "A mapping of names to pools."),
    (LoadBalancer, "Load balancers: `load_balancers`", "A list."),
    (
        NotificationPolicy,
        "Notification policies: `policies`",
        "A mapping of names to policies. What they do is in [notifications.md](notifications.md).",
    ),
    (WebhookDestination, "Webhooks: `webhooks`", "A mapping of names to webhooks, which policies name."),
    (PagerDutyService, "PagerDuty services: `pagerduty`", "A mapping of names to services, which policies name."),
    (Silence, "Silences: `silences`", "A mapping of names to silences."),
    (
        StoredKey,
        "TSIG keys: `tsigs`",
        "A mapping of names to keys. Others stand under `keys`.",
    ),
    (Peer, "Peers: `peers`", "A mapping of names to other servers that zones are exchanged with."),
    (Acl, "Networks of transfers: `acls`", "A mapping of names to networks."),
    (IncomingTransfer, "Zones from peers: `incoming`", "A mapping of zones' names to where they come from."),
    (OutgoingTransfer, "Zones to peers: `outgoing`", "A mapping of zones' names to who has copies of them."),
)


def settings_text() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        WRITTEN,
        "",
        "Every key of lbdns.yaml and of balancing objects. What they do together is in [semantics.md](semantics.md).",
        "An unknown key is a mistake, and the nearest known one is named; `lbdns check` tells all mistakes at once.",
        "",
    ]
    for model, title, about in CHAPTERS:
        lines += [f"## {title}", "", about, ""]
        schema = model.model_json_schema()
        shown: list[str] = []
        tables: list[tuple[str, type[BaseModel]]] = [("", model)]
        while tables:
            path, current = tables.pop(0)
            if path:
                lines += [f"### {path}", "", _summary(current), ""]
            lines += ["| key | value | default | |", "|---|---|---|---|"]
            definition = schema if current is model else schema["$defs"][current.__name__]
            for key, prop in definition["properties"].items():
                required = key in definition.get("required", ())
                lines.append(_row(current, key, prop, required))
                for inner in _models(current, key):
                    if inner.__name__ not in shown:
                        shown.append(inner.__name__)
                        tables.append((f"`{path.strip('`') + '.' if path else ''}{key}`", inner))
            lines.append("")
            if current is Monitor:
                lines += _probe_types()
    return "\n".join(lines).rstrip() + "\n"


def _probe_types() -> Iterator[str]:
    """Yield the table of which fields act with which type of probe."""
    own = [name for name in Monitor.model_fields if not all(acts(kind, name) for kind in PROBE_TYPES)]
    yield "Which keys act with which type; the others of a monitor act with all:"
    yield ""
    yield f"| type | {' | '.join(f'`{name}`' for name in own)} |"
    yield f"|---|{'---|' * len(own)}"
    for kind in PROBE_TYPES:
        cells = [
            "needed" if name == "port" and PROBE_TYPES[kind].needs_port else "yes" if acts(kind, name) else ""
            for name in own
        ]
        yield f"| `{kind}` | {' | '.join(cells)} |"
    yield ""


def _row(model: type[BaseModel], key: str, prop: dict[str, Any], required: bool) -> str:
    """Return a field as a row of its table."""
    field = next(name for name, one in model.model_fields.items() if key in (name, one.alias))
    default = "required" if required else _default(prop)
    meaning = field_meanings(model)[field]
    return f"| `{key}` | {_type(prop)} | {default} | {meaning} |"


def _default(prop: dict[str, Any]) -> str:
    """Return a default; that of an object is its own fields'."""
    if "default" not in prop:
        return "`{}`" if prop.get("type") == "object" else ""
    if "$ref" in prop and isinstance(prop["default"], dict):
        return ""
    value = prop["default"]
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(prop: dict[str, Any]) -> str:
    """Return what values a field takes, in words."""
    if "anyOf" in prop:
        kinds = [one for one in prop["anyOf"] if one.get("type") != "null"]
        return ", or ".join(_type(one) for one in kinds)
    if "$ref" in prop:
        return "mapping, below"
    if "enum" in prop:
        return ", ".join(f"`{json.dumps(one)}`" if one == "" else f"`{one}`" for one in prop["enum"])
    if "const" in prop:
        return f"`{prop['const']}`"
    kind = prop.get("type")
    if kind == "array":
        items = prop.get("items", {})
        size = _bounds(prop, "minItems", "maxItems")
        return f"list{f' ({size})' if size else ''} of {_type(items) if items else 'values'}"
    if kind == "object":
        inner = prop.get("additionalProperties")
        size = _bounds(prop, "minProperties", "maxProperties")
        return f"mapping{f' ({size})' if size else ''} to {_type(inner) if isinstance(inner, dict) else 'values'}"
    if kind == "string":
        size = _bounds(prop, "minLength", "maxLength")
        return ("path" if prop.get("format") == "path" else "text") + (f" ({size} characters)" if size else "")
    words = {"integer": "whole number", "number": "number", "boolean": "true, false"}
    size = _bounds(prop, "minimum", "maximum")
    return words[str(kind)] + (f", {size}" if size else "")


def _bounds(prop: dict[str, Any], low: str, high: str) -> str:
    """Return bounds as text, where there are any."""
    least, most = prop.get(low), prop.get(high)
    if most is None:
        return f"at least {least:,}" if least else ""
    return f"{int(least or 0):,} to {int(most):,}"


def _models(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """Return the models that a field's value is made of."""
    field = next(one for name, one in model.model_fields.items() if key in (name, one.alias))
    found: list[type[BaseModel]] = []

    def visit(annotation: Any) -> None:
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            found.append(annotation)
        for inner in getattr(annotation, "__args__", ()):
            visit(inner)

    visit(field.annotation)
    return found


def _summary(model: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split())


TREE = {
    "zones": {"example.com": "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"},
    "pools": {"one": {"origins": [{"name": "one-1", "address": "192.0.2.1"}]}},
    "load_balancers": [{"name": "www.example.com", "default_pools": ["one"], "fallback_pool": "one"}],
}


def metrics_text() -> str:
    """Return docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        WRITTEN,
        "",
        'What `metrics: "127.0.0.1:9353"` in lbdns.yaml serves at `http://127.0.0.1:9353/metrics`, for Prometheus.',
        "Counters are sums over all responders and never go back, whoever of them dies and whatever is reloaded.",
        "",
        "| metric | type | labels | |",
        "|---|---|---|---|",
    ]
    for family in _families():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in family._labelnames)
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def _families() -> list[Any]:
    """Return every metric family, in order."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder))
        try:
            publisher = Publisher(Control.create(run.control), run)
            published = publisher.prepare(parse(TREE, Path(folder)).configuration)
            tally = Tally(run)
            tally.follow(tally.plan(published.slots))
            facts = ServerFacts(published, 0.0, 0.0, True, (), 0, 0, "", 0.0, None, "", 0, "")
            return list(ServerCollector(tally, lambda: facts).collect())
        finally:
            run.remove()


LICENCES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2 License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD": "BSD-2-Clause",
    "GNU Lesser General Public License v3.0": "LGPL-3.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""What packages without an SPDX expression call their licence, which their files say in full."""


EXTRAS = ("fleet", "pkcs11")
"""What an operator may have beside it."""


def requirements() -> dict[str, Distribution]:
    """Return every package that lbdns needs to run, with or without its extras, by its name."""
    found: dict[str, Distribution] = {}
    todo: list[tuple[str, frozenset[str]]] = [("lbdns", frozenset())]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for needed in (Requirement(text) for extra in EXTRAS for text in extras[extra]):
        todo.append((needed.name, frozenset(needed.extras)))
    while todo:
        name, extras = todo.pop()
        key = canonicalize_name(name)
        if key in found:
            continue
        found[key] = distribution(name)
        for needed in map(Requirement, found[key].requires or ()):
            if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in ("", *extras)):
                todo.append((needed.name, frozenset(needed.extras)))
    del found["lbdns"]
    return found


def licence_of(package: Distribution) -> str:
    """Return a package's licence as an SPDX expression, or as it calls it."""
    said = package.metadata
    classifiers = [text for text in said.get_all("Classifier") or () if text.startswith("License ::")]
    named: list[str] = [
        *(said.get_all("License-Expression") or ()),
        *(said.get_all("License") or ()),
        *classifiers,
        "none named",
    ]
    return LICENCES.get(named[0], named[0])


def licences_text() -> str:
    """Return docs/licences.md. Releases are those of constraints.txt: they are the same wherever this is written."""
    pins: dict[str, list[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition(";")[0].partition("==")
        pins.setdefault(name, []).append(version.strip())
    rows = [
        f"| {name} | {', '.join(pins[name])} | {licence_of(package)} |"
        for name, package in sorted(requirements().items())
    ]
    return "\n".join(
        [
            "# Licences",
            "",
            WRITTEN,
            "",
            "lbdns is under Apache-2.0 ([LICENSE](../LICENSE)), its geolocation data under their own terms",
            "([geodata/SOURCES.md](../geodata/SOURCES.md)). What it needs to run, extras included, is beside it.",
            "The releases are those that it is tested with ([constraints.txt](../constraints.txt)).",
            "",
            "| package | release | licence |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def rules_text() -> str:
    """Return docs/rules.md: as it stands, with the tables of fields and functions anew."""
    fields = [f"| `{row.name}` | {row.type} | {row.meaning} |" for row in map(FIELDS.__getitem__, DNS_FIELDS)]
    functions = [f"| `{row.signature}` | {row.gives} | {row.meaning} |" for row in FUNCTIONS.values()]
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    for name, rows in (("fields", ["| field | type | |", *fields]), ("functions", ["| | gives | |", *functions])):
        head = f"<!-- {name}: written by scripts/write-docs -->\n"
        before, _, rest = text.partition(head)
        _, end, after = rest.partition("<!-- end -->\n")
        table = "\n".join([rows[0], "|---|---|---|", *rows[1:]])
        text = f"{before}{head}{table}\n{end}{after}"
    return text


WRITERS = {
    "settings.md": settings_text,
    "metrics.md": metrics_text,
    "licences.md": licences_text,
    "rules.md": rules_text,
}


def main() -> None:
    """Write the files."""
    for name, write in WRITERS.items():
        path = ROOT / "docs" / name
        path.write_text(write(), encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
