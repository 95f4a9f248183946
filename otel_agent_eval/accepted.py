"""Bounds the connections of servers that do not say whom they accept.

Python's gRPC shows a connection only once it carries a request, asyncio one with TLS only once the handshake is over.
So the sockets of this process are looked at, and those that are too many shut down: to the server that is a client that
went away.
"""

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from otel_agent_eval.connections import client_of
from otel_agent_eval.seldom import Seldom

_log = logging.getLogger(__name__)

_DESCRIPTORS = Path("/proc/self/fd")
_LOOK_EVERY = 1.0
_SLICE = 128  # descriptors between two turns of the event loop: less than a millisecond


class AcceptedConnections:
    """The connections accepted at `host` and `port`; beyond `per_client`, or `altogether`, the newest are shut down.

    None is no limit. Which are the newest is known to the second. `let_in` gives the descriptors of those for which a
    server makes room itself: then only the others are counted, and the oldest of them shut down. Raises `OSError` where
    the system does not show the files that are open.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        per_client: int | None,
        altogether: int | None = None,
        let_in: Callable[[], Iterable[int]] | None = None,
    ) -> None:
        if not _DESCRIPTORS.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(_DESCRIPTORS))
        self._hosts = {_plain(str(found[4][0])) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        self._port = port
        self._per_client = sys.maxsize if per_client is None else per_client
        self._altogether = sys.maxsize if altogether is None else altogether
        self._let_in = let_in
        self._clients: dict[int, str | None] = {}  # by inode, in the order in which they were seen; None of others
        self._crowded = Seldom(_log, "connections are closed: there are too many")
        self._blind = Seldom(_log, "connections cannot be counted")

    async def watch(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self._look()
            except OSError as error:  # no descriptor is left to look with
                self._blind(why=error.strerror)

    async def _look(self) -> None:
        """Shut down what is too much.

        In slices on the event loop: a thread gives up the interpreter at each call of the system, and would take
        seconds to get it back so often from a busy one.
        """
        descriptors: dict[int, int] = {}
        for number, name in enumerate(os.listdir(_DESCRIPTORS)):  # noqa: PTH208 (a path for each costs more than the look)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
            inode = _inode(int(name))
            if inode is None:
                continue
            if inode not in self._clients:
                self._clients[inode] = self._client(int(name), inode)
            descriptors[inode] = int(name)
        self._clients = {inode: client for inode, client in self._clients.items() if inode in descriptors}
        kept: Counter[str] = Counter()
        total = 0
        for inode, client in self._counted():
            if kept[client] < self._per_client and total < self._altogether:
                kept[client] += 1
                total += 1
            else:
                self._crowded(client=client)
                _shut_down(descriptors[inode], inode)

    def _counted(self) -> list[tuple[int, str]]:
        """Return inodes and clients of the connections that count, those that may stay first."""
        found = [(inode, client) for inode, client in self._clients.items() if client is not None]
        if self._let_in is None:
            return found
        let_in = {_inode(descriptor) for descriptor in self._let_in()}
        return [(inode, client) for inode, client in reversed(found) if inode not in let_in]

    def _client(self, descriptor: int, inode: int) -> str | None:
        """Return who is at the other end, None where this is no connection that was accepted here.

        Sockets that listen have no other end. A connection that we made has another port here, as a port that is
        listened on is not given to it.
        """
        duplicate = _duplicate(descriptor, inode)
        if duplicate is None:
            return None
        with duplicate:
            if duplicate.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            try:
                host, port = duplicate.getsockname()[:2]
                client = client_of(duplicate.getpeername()[0])
            except OSError:
                return None
        return client if port == self._port and self._is_ours(host) else None

    def _is_ours(self, host: str) -> bool:
        return any(one.is_unspecified or one == _plain(host) for one in self._hosts)


def _inode(descriptor: int) -> int | None:
    """Return what tells a socket from all others that are open, None of what is none or was closed by now."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_ino if stat.S_ISSOCK(found.st_mode) else None


def _duplicate(descriptor: int, inode: int) -> socket.socket | None:
    """Return the socket of `inode` under a descriptor of our own, None if it is gone.

    gRPC closes and reuses its descriptors whenever it likes; what was duplicated stays what it is.
    """
    try:
        own = os.dup(descriptor)
    except OSError as error:
        if error.errno == errno.EBADF:
            return None
        raise
    try:
        if _inode(own) == inode:
            return socket.socket(fileno=own)
    except OSError:
        pass
    os.close(own)
    return None


def _shut_down(descriptor: int, inode: int) -> None:
    duplicate = _duplicate(descriptor, inode)
    if duplicate is None:
        return
    with duplicate:
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was quicker


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address without its zone, and as IPv4 where it is that in IPv6's form."""
    plain = ipaddress.ip_address(address.partition("%")[0])
    return (plain.ipv4_mapped or plain) if isinstance(plain, ipaddress.IPv6Address) else plain
