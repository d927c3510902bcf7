"""Templates to pages: one environment, in which everything is escaped, and the words and numbers that all pages share.

A template extends layout.html and takes what it needs from macros.html. Besides what its handler gives, each knows

    request, site_name, pages (navigation), page (the row of page_table in question), static('NAME'), form_token,
    withheld (why forms are left out: what the token in question may not; "" where none is)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from lbdns import __version__
from lbdns.manage.dashboard import words_shown as words
from lbdns.manage.dashboard.object_forms.form_nodes import node_id
from lbdns.manage.dashboard.page_calls import ApiAnswer
from lbdns.manage.dashboard.page_request import THEMES, PageRequest
from lbdns.manage.dashboard.page_row import PageRow
from lbdns.manage.dashboard.static_files import StaticFiles

TEMPLATES: Final = "templates"
FILTERS: Final = {
    "ago": words.ago,
    "age": words.age,
    "absolute": words.absolute,
    "iso_time": words.iso_time,
    "number": words.number,
    "rate": words.rate,
    "share": words.share,
    "milliseconds": words.milliseconds,
    "duration": words.duration,
    "counted": words.counted_words,
    "pretty": words.pretty,
    "shown_value": words.shown_value,
    "state_shape": words.state_shape,
    "field_id": words.field_id,
    "with_query": words.with_query,
    "curl": words.curl,
    "input_id": node_id,
}
HTML: Final = "text/html; charset=utf-8"


class Renderer:
    """Renders the templates; compiled once, when each is first needed or by `prepare`."""

    def __init__(self, static: StaticFiles, rows: tuple[PageRow, ...]) -> None:
        """Make the environment."""
        self._environment = Environment(
            loader=PackageLoader("lbdns.manage.dashboard", TEMPLATES),
            autoescape=True,
            auto_reload=False,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        self._environment.filters |= FILTERS
        self._environment.globals |= {"static": static.path, "icons": static.icons(), "themes": THEMES}
        navigation = self._environment.get_template("navigation.html")
        self._navigation = {
            row: Markup(navigation.render(pages=rows, row=row, version=__version__)) for row in (*rows, None)
        }

    def prepare(self) -> None:
        """Compile every template."""
        for name in self._environment.list_templates(["html"]):
            self._environment.get_template(name)

    def page(
        self, request: PageRequest, template: str, status: int = 200, *, row: PageRow | None = None, **given: Any
    ) -> Response:
        """Return a page; or what the API gave, where the request asks for JSON."""
        if request.wants_json and request.answers:
            return JSONResponse([_asked(one) for one in request.answers], status)
        session = request.visit
        known: Mapping[str, Any] = {
            "request": request,
            "row": row,
            "navigation": self._navigation[row],
            "now_s": time.time(),
            "form_token": session.form_token if session is not None else "",
            "withheld": "",
            "notes": session.take_notes() if session is not None else [],
        }
        text = self._environment.get_template(template).render({**known, **given})
        return Response(text, status, media_type=HTML)


def _asked(answer: ApiAnswer) -> dict[str, Any]:
    """Return a call of the API as the JSON beside a page has it."""
    return {"method": answer.method, "path": answer.path, "status": answer.status, "answer": answer.envelope}
