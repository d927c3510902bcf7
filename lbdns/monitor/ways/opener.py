"""Opens sockets in network namespaces for the monitor worker: `python -m lbdns.monitor.ways.opener --socket PATH`.

To enter a namespace takes CAP_SYS_ADMIN (setns(2)), which nobody who speaks with the network is to have. So a process
that speaks with nobody but the worker, over a UNIX socket in the run directory, is lent it: it enters the namespace
that a request names, opens one socket there, comes back and hands the socket over. The socket stays in its namespace,
whoever uses it. The namespace's file is opened for each request: one that was deleted and made anew is another.

A namespace that belongs to a user namespace (rootless containers) may be entered by who made that, without capability:
a child goes in for good, since there is no way back.

    request   number, family, type (0: is the namespace there?), protocol; then the namespace's name or path
    reply     number, errno (0: done), at which step it failed, device and inode of the namespace; the socket beside it

It ends with the supervisor, or with the last worker of one that was killed. Imports little: it is small in memory.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import ctypes
import errno
import fcntl
import os
import selectors
import signal
import socket
import struct
import sys

REQUEST = struct.Struct("<Iiii")
REPLY = struct.Struct("<IiiQQ")
PATH_BYTES_MAX = 4096
NAMESPACES = "/run/netns"
AT_FILE, AT_ENTRY, AT_SOCKET = 1, 2, 3  # where it failed: the namespace's file, entering it, opening the socket
LOOK_S = 1.0
INSIDE_MAX = 16  # children in user namespaces
CLIENTS_MAX = 8
_NEWNET, _NEWUSER = 0x40000000, 0x10000000
_NS_GET_USERNS = 0xB701  # ioctl_ns(2)
_PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """A request that came to nothing: errno and step."""


def _setns(descriptor: int, kind: int) -> None:
    if _libc.setns(descriptor, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_libc = ctypes.CDLL(None, use_errno=True)


def _opened(family: int, kind: int, protocol: int) -> socket.socket | None:
    """Return a socket of the namespace that this process is in; None where none is asked for; raises Failure."""
    if not kind:
        return None
    try:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise Failure(error.errno, AT_SOCKET) from None


class Opener:
    """Answers requests, one after another."""

    def __init__(self) -> None:
        """Begin in the namespace that it was started in, to which it comes back."""
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._inside: dict[tuple[int, int], socket.socket] = {}

    def answer(self, request: bytes) -> tuple[bytes, socket.socket | None]:
        """Return the reply to a request, and the socket that goes with it."""
        number, family, kind, protocol = REQUEST.unpack_from(request)
        name = os.fsdecode(request[REQUEST.size :])
        opened, failed, step, found = None, 0, 0, (0, 0)
        try:
            path = name if name.startswith("/") else f"{NAMESPACES}/{name}"
            try:
                # A path may be anything: a named pipe must not hold this up.
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError as error:
                raise Failure(error.errno, AT_FILE) from None
            except ValueError:  # a path with a NUL in it
                raise Failure(errno.EINVAL, AT_FILE) from None
            try:
                status = os.fstat(descriptor)
                found = status.st_dev, status.st_ino
                opened = self._open(descriptor, found, family, kind, protocol)
            finally:
                os.close(descriptor)
        except Failure as failure:
            failed, step = failure.args
        return REPLY.pack(number, failed, step, *found), opened

    def _open(
        self, descriptor: int, found: tuple[int, int], family: int, kind: int, protocol: int
    ) -> socket.socket | None:
        inside = self._inside.get(found)
        if inside is not None:
            return self._ask_inside(found, inside, family, kind, protocol)
        try:
            _setns(descriptor, _NEWNET)
        except OSError as error:
            if error.errno == errno.EPERM and self._go_inside(descriptor, found):
                return self._ask_inside(found, self._inside[found], family, kind, protocol)
            raise Failure(error.errno, AT_ENTRY) from None
        try:
            return _opened(family, kind, protocol)
        finally:
            _setns(self._own, _NEWNET)

    def _go_inside(self, descriptor: int, found: tuple[int, int]) -> bool:
        """Have a child enter the user namespace that a network namespace belongs to, and that; False where it may
        not."""
        while len(self._inside) >= INSIDE_MAX:
            self._inside.pop(next(iter(self._inside))).close()
        try:
            users = fcntl.ioctl(descriptor, _NS_GET_USERNS)
        except OSError:
            return False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            _serve_inside(theirs, users, descriptor)
        os.close(users)
        theirs.close()
        if ours.recv(1) != b"+":
            ours.close()
            return False
        self._inside[found] = ours
        return True

    def _ask_inside(
        self, found: tuple[int, int], inside: socket.socket, family: int, kind: int, protocol: int
    ) -> socket.socket | None:
        try:
            inside.send(REQUEST.pack(0, family, kind, protocol))
            data, descriptors = receive(inside)
            _, failed, step, _, _ = REPLY.unpack(data)
        except (OSError, struct.error):  # it has ended: another goes in the next time
            self._inside.pop(found).close()
            raise Failure(errno.ECHILD, AT_ENTRY) from None
        if failed:
            raise Failure(failed, step)
        return socket.socket(fileno=descriptors[0]) if descriptors else None


def _serve_inside(channel: socket.socket, users: int, network: int) -> None:
    """Enter for good and open sockets there until the parent is gone; never returns."""
    with contextlib.suppress(BaseException):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _setns(users, _NEWUSER)
        _setns(network, _NEWNET)
        channel.send(b"+")
        while request := channel.recv(REQUEST.size):
            number, family, kind, protocol = REQUEST.unpack(request)
            try:
                _reply(channel, REPLY.pack(number, 0, 0, 0, 0), _opened(family, kind, protocol))
            except Failure as failure:
                channel.send(REPLY.pack(number, *failure.args, 0, 0))
    os._exit(0)


def _reply(channel: socket.socket, reply: bytes, opened: socket.socket | None) -> None:
    if opened is None:
        channel.send(reply)
        return
    with opened:
        rights = array.array("i", [opened.fileno()])
        channel.sendmsg([reply], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Return a reply and the descriptor that came with it, which programs that are started do not inherit.

    socket.recv_fds passes no flags on, up to Python 3.13 at least, so that they would.
    """
    room = socket.CMSG_LEN(array.array("i").itemsize)
    data, ancillary, _, _ = channel.recvmsg(REPLY.size, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(rights[: len(rights) - len(rights) % descriptors.itemsize])
    return data, list(descriptors)


class OpenerServer:
    """The socket in the run directory, and who is connected to it."""

    def __init__(self, path: str) -> None:
        """Listen at `path`, in the place of whatever is there; raises OSError."""
        self._path = path
        self._opener = Opener()
        self._selector = selectors.DefaultSelector()
        self._clients: set[socket.socket] = set()
        self._parent = os.getppid()
        self._listening: socket.socket | None = None
        self._listen()

    def _listen(self) -> None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        directory, name = os.path.split(self._path)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fresh = f".{name}.{os.getpid()}"
        try:
            # The path of a socket is short: a directory's descriptor stands for any.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=handle)
            listening.bind(f"/proc/self/fd/{handle}/{fresh}")
            os.chmod(fresh, 0o600, dir_fd=handle)
            listening.listen(CLIENTS_MAX)
            self._inode = os.stat(fresh, dir_fd=handle).st_ino
            os.rename(fresh, name, src_dir_fd=handle, dst_dir_fd=handle)
        except OSError:
            listening.close()
            raise
        finally:
            os.close(handle)
        self._listening = listening
        self._selector.register(listening, selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        """Answer until nobody is left to answer."""
        while not self._is_over():
            for key, _ in self._selector.select(LOOK_S):
                key.data(key.fileobj)
            self._follow_path()

    def _is_over(self) -> bool:
        is_left = os.getppid() != self._parent
        return (is_left or self._listening is None) and not self._clients

    def _follow_path(self) -> None:
        """Listen again where the socket's file was removed; no more where another opener's is there."""
        if self._listening is None:
            return
        try:
            is_there = os.stat(self._path).st_ino == self._inode
            if is_there:
                return
        except OSError:
            if os.getppid() != self._parent or not os.path.isdir(os.path.dirname(self._path)):
                return
            self._stop_listening()
            with contextlib.suppress(OSError):
                self._listen()
            return
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._selector.unregister(self._listening)
            self._listening.close()
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _ = listening.accept()
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            _, uid, _ = struct.unpack("iII", credentials)
            if uid not in (0, os.geteuid()) or len(self._clients) >= CLIENTS_MAX:
                client.close()
                return
            client.setblocking(False)
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ, self._serve)

    def _serve(self, client: socket.socket) -> None:
        try:
            request = client.recv(REQUEST.size + PATH_BYTES_MAX)
            if len(request) <= REQUEST.size:
                raise ConnectionError
            _reply(client, *self._opener.answer(request))
        except OSError:  # it is gone, or reads nothing
            self._selector.unregister(client)
            self._clients.discard(client)
            client.close()


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns its exit status."""
    parser = argparse.ArgumentParser(prog="lbdns.monitor.ways.opener", description="Open sockets in namespaces.")
    parser.add_argument("--socket", required=True, help="where it listens")
    parser.add_argument("--wake-fd", type=int, help="written when the control file has news, which are not for it")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a child that was inside
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        OpenerServer(given.socket).run()
    except OSError as error:
        print(f"{given.socket}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
