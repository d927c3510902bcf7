"""Where the management API is: a server's UNIX socket, an address, or, where no server runs, this process itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.words import API_SOCKET, LOCK_FILE, SETTINGS_FILE, STORE_FILE, V4_PATH

if TYPE_CHECKING:
    import httpx

    from lbdns.model.settings import Settings

CONNECT_S: Final = 5.0
ANSWER_S: Final = 600.0  # a big import compiles for long
STARTING_S: Final = 10.0  # how long a server that has the lock may take to open its socket
RETRY_S: Final = 0.05
TOKEN_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Remote:
    """A server at an address, and the token that it knows one by."""

    url: str
    token: str

    def __str__(self) -> str:
        return self.url

    def has_server(self) -> bool:
        """Whether a server is to answer there, which is so wherever there is an address."""
        return True

    def connect(self, cleanup: contextlib.ExitStack, may_create: bool) -> httpx.Client:
        """Return a client for the server; the certificate is checked against SSL_CERT_FILE, else the system's."""
        import httpx

        made = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            verify=ssl.create_default_context(),
            trust_env=False,
        )
        return cleanup.enter_context(made)

    def unreachable(self, error: Exception) -> str:
        """Return what to say where no connection came about."""
        told = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in told:
            why = told.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or told
            return f"{self.url}: the certificate is not trusted: {why} (SSL_CERT_FILE names whom to trust)"
        if "WRONG_VERSION_NUMBER" in told or "RECORD_LAYER_FAILURE" in told:
            return f"{self.url}: no TLS is spoken there; try http:// in place of https://"
        return f"{self.url}: no server answers: {told.rpartition('] ')[2]}"


@dataclass(frozen=True, slots=True)
class Local:
    """A state directory on this machine, of a running server or of none.

    `settings_path`: the settings file, or the directory of files with one, that say where it is; None: the defaults
    do. `state` wins over what they say. `is_dry_run`: nothing is to be left there, not even a store that is empty.
    """

    settings_path: Path | None = None
    state: Path | None = None
    is_dry_run: bool = False

    def __str__(self) -> str:
        return f"the server of {self.state_dir()}"

    def settings(self) -> Settings:
        """Return the settings; raises ConfigError with every mistake in them."""
        from lbdns.model.settings import Settings

        found = Settings()
        if self.settings_path is not None:
            from lbdns.config.settings_loading import load_settings

            found = load_settings(self.settings_path)
        return self._with_state(found)

    def _with_state(self, found: Settings) -> Settings:
        if self.state is None:
            return found
        return found.model_copy(update={"state": self.state.absolute(), "control": None})

    def readable_settings(self) -> Settings:
        """Return the settings as far as they can be read: a server runs on with those before a mistake."""
        from lbdns.config.readable_settings import readable_settings
        from lbdns.model.settings import Settings

        found = Settings() if self.settings_path is None else readable_settings(self.settings_path)
        return self._with_state(found)

    def state_dir(self) -> Path:
        """Return the state directory."""
        return self.state.absolute() if self.state is not None else self.readable_settings().state_dir()

    def socket_path(self) -> Path:
        """Return the path of the running server's socket."""
        return self.state_dir() / API_SOCKET

    def has_server(self) -> bool:
        """Whether a server answers there now; raises LbdnsError where that is another user's."""
        return answers(_socket_in_use(self.state_dir()))

    def connect(self, cleanup: contextlib.ExitStack, may_create: bool) -> httpx.Client:
        """Return a client for the running server, or for the store where none runs; raises LbdnsError."""
        from lbdns.mapped.run_directory import RunDirectory

        state_dir = self.state_dir()
        deadline = time.monotonic() + STARTING_S
        while not answers(path := _socket_in_use(state_dir)):
            holder = _holder(state_dir / LOCK_FILE)
            if holder is None:
                holder = _holder(RunDirectory.location(state_dir).with_suffix(".lock"))
            if holder is None:
                return self._open_store(state_dir, cleanup, may_create)
            if time.monotonic() > deadline:
                raise LbdnsError(f"the lbdns process {holder} has {state_dir}, but nothing answers at {path}")
            time.sleep(RETRY_S)
        return _connect_socket(path, cleanup)

    def unreachable(self, error: Exception) -> str:
        """Return what to say where the server went away."""
        return f"{self}: it does not answer: {error}"

    def _open_store(self, state_dir: Path, cleanup: contextlib.ExitStack, may_create: bool) -> httpx.Client:
        if not (may_create or (state_dir / STORE_FILE).exists()):
            from lbdns.manage.store.opening import holds_store

            holds_store(state_dir / STORE_FILE)  # where one is gone, the way back is told
            raise LbdnsError(
                f"no server answers at {state_dir / API_SOCKET}, and there is no store; is `lbdns serve` running? "
                "(--settings, --config or --state say where, --api asks a server elsewhere)"
            )
        from lbdns.cli.frame.in_process import open_offline

        settings = self.settings()
        if self.is_dry_run and not (state_dir / STORE_FILE).exists():
            elsewhere = cleanup.enter_context(tempfile.TemporaryDirectory())
            settings = settings.model_copy(update={"state": Path(elsewhere, "state")})
        return open_offline(settings, cleanup)


Place = Remote | Local


def find_place(
    api: str | None, token: str | None, token_file: Path | None, settings: Path | None, state: Path | None
) -> Place:
    """Return the place that the options name, `./lbdns.yaml` and then the defaults where they name none."""
    if api is None:
        return find_local(settings, state)
    if token_file is not None:
        token = _read_token(token_file)
    if not token:
        raise LbdnsError(f"{api} needs a token: --token-file, --token or LBDNS_TOKEN; `lbdns token create` makes one")
    if not (token.isascii() and token.isprintable()):
        raise LbdnsError("the token is not one: it has characters that no token has")
    url = api.rstrip("/").removesuffix(V4_PATH)
    if not url.startswith(("http://", "https://")):
        raise LbdnsError(f'"{api}" is no address of an API; expected one such as https://ns1.example.com:8053')
    return Remote(url, token)


def find_local(settings: Path | None, state: Path | None) -> Local:
    """Return the place that settings or a state directory name, `./lbdns.yaml` and then the defaults where neither is
    given."""
    if settings is None and state is None and Path(SETTINGS_FILE).is_file():
        settings = Path(SETTINGS_FILE)
    return Local(settings, state)


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return content.read(TOKEN_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "not a text"
        raise LbdnsError(f"{path}: cannot read the token: {told}") from error


def _socket_in_use(state_dir: Path) -> Path:
    from lbdns.mapped.run_directory import RunDirectory

    return RunDirectory.socket_in_use(state_dir / API_SOCKET, state_dir)


def answers(path: Path) -> bool:
    """Whether a server listens on a UNIX socket; raises LbdnsError where that is another user's."""
    from lbdns.mapped.run_directory import unix_address

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            with unix_address(path) as address:
                sock.connect(address)
        except PermissionError:
            raise LbdnsError(f"{path}: no permission; only the user that runs the server may use it") from None
        except OSError:
            return False
    return True


def _holder(lock: Path) -> str | None:
    """Return the id of the process that holds a state directory's lock; None where none does."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 32, 0).decode(errors="replace").strip()
    finally:
        os.close(handle)
    return None


def _connect_socket(path: Path, cleanup: contextlib.ExitStack) -> httpx.Client:
    import httpx

    from lbdns.mapped.run_directory import unix_address

    transport = httpx.HTTPTransport(uds=cleanup.enter_context(unix_address(path)))
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    made = httpx.Client(base_url="http://lbdns", transport=transport, timeout=timeout)
    return cleanup.enter_context(made)
