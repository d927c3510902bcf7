"""A trouble that lasts, such as a full disk: the log says it when it begins or changes, and when it is over."""

from __future__ import annotations

import logging


class LastingTrouble:
    """One thing that goes well or does not; `text` is what is wrong with it now, "" where nothing is."""

    def __init__(self, log: logging.Logger, over: str) -> None:
        """Begin without trouble; `over` is the line of the log that ends one."""
        self.text = ""
        self._log = log
        self._over = over

    def begin(self, text: object, shorter: str = "") -> None:
        """Take it that this is wrong; `shorter`: what the log is to say of it, where it has said the rest."""
        if str(text) != self.text:
            self.text = str(text)
            self._log.error("%s", shorter or self.text)

    def end(self) -> None:
        """Take it that all is well."""
        if self.text:
            self.text = ""
            self._log.info("%s", self._over)
