"""Style sheet, scripts, pictures: read once, under paths that change with their content, so that browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from markupsafe import Markup, escape
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
STATIC_PATH: Final = "/static"
DIGEST_CHARS: Final = 16
ICONS: Final = "icons.svg"
_SYMBOL: Final = re.compile(r'<symbol id="([a-z-]+)"')
SERVED: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
"""What browsers fetch, by its type; licences lie beside it."""
SMALL_BYTES: Final = 1024
"""What is shorter is not worth compressing."""
KEPT: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    """One file: its content, its type, and the digest that its path has."""

    content: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        """What tells this content from any other."""
        return hashlib.sha256(self.content).hexdigest()[:DIGEST_CHARS]

    @cached_property
    def compressed(self) -> bytes:
        """The same for browsers that take gzip; empty where it is not worth it."""
        return gzip.compress(self.content, 9, mtime=0) if len(self.content) > SMALL_BYTES else b""

    def response(self, accepted: str) -> Response:
        """Return it; `accepted` is the request's Accept-Encoding."""
        headers = {"cache-control": KEPT, "vary": "accept-encoding"}
        content = self.content
        if self.compressed and "gzip" in accepted:
            headers["content-encoding"] = "gzip"
            content = self.compressed
        return Response(content, media_type=self.media_type, headers=headers)


class StaticFiles:
    """All of them, by name: the path below FOLDER."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read them."""
        self._files = {
            path.relative_to(folder).as_posix(): StaticFile(path.read_bytes(), SERVED[path.suffix])
            for path in sorted(folder.rglob("*"))
            if path.suffix in SERVED
        }
        self._paths = {
            name: Markup(f"{STATIC_PATH}/{file.digest}/{escape(name)}") for name, file in self._files.items()
        }

    def path(self, name: str) -> Markup:
        """Return the path of a file, as it stands in HTML; raises KeyError where there is none of that name."""
        return self._paths[name]

    def icons(self) -> dict[str, Markup]:
        """Return the element that shows each picture of ICONS, by its name."""
        href = self.path(ICONS)
        names = _SYMBOL.findall(self._files[ICONS].content.decode())
        return {
            name: Markup(
                f'<svg class="icon" width="18" height="18" aria-hidden="true"><use href="{href}#{name}"/></svg>'
            )
            for name in names
        }

    def find(self, digest: str, name: str) -> StaticFile | None:
        """Return the file of a path; None where it has another content now, or none."""
        found = self._files.get(name)
        return found if found is not None and found.digest == digest else None
