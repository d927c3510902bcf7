"""TLS for the API: a certificate chain and its key, read again when their files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.key_pair import KeyPair

LOOK_S: Final = 60.0
"""How often to look whether the files have changed."""

log = logging.getLogger("lbdns.api")


class Certificate:
    """A certificate chain and its key, in PEM files. `context` takes a renewed one over for new connections."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both; raises LbdnsError naming the file that is wrong."""
        self._certificate = certificate
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pair = KeyPair(self.context, certificate, key)

    async def keep_renewed(self) -> None:
        """Look at the files every LOOK_S seconds, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.renew)

    def renew(self) -> None:
        """Take changed files over. What is no good is logged, and what was there before stays."""
        try:
            if self._pair.renew():
                log.info("the API's certificate is read again from %s", self._certificate)
        except LbdnsError as error:
            log.error("%s; the certificate that was read before stays in use", error)
